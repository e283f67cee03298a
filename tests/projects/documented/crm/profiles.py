from typing import Any


def time_zone_of(user: Any) -> str:
    return "Europe/Berlin"
