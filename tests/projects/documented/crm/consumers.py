from typing import Any


class CustomerConsumer:
    """Stands for a consumer of Channels."""

    @classmethod
    def as_asgi(cls) -> Any:
        return cls()
