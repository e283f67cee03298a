"""The time zone of the pages: that of the reader's profile, as on the History tab."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from crm.companies import time_zone_of


def reader_time_zone(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Show and take times in the zone of the user's profile."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with timezone.override(time_zone_of(request.user)):
            return get_response(request)

    return middleware
