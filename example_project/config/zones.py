"""The time zone of the pages: the one of the user's profile, as on the History tab."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from crm.companies import time_zone_of


def reader_time_zone(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Show and read times in the time zone of the user's profile."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with timezone.override(time_zone_of(request.user)):
            return get_response(request)

    return middleware
