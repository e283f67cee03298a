"""The parameters of a request: filters and what else an endpoint takes, all read at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext
from rest_framework.request import Request

from django_customer_history.conf import (
    LARGEST_PAGE,
    page_size,
)
from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
    UnknownFormatError,
)
from django_customer_history.export.formats import format_called
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.filters import Filters
from django_customer_history.reading.timeline import Timeline
from django_customer_history.rest_framework.problems import InvalidParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the parameters of a request ask for, and all that is wrong with them."""

    filters: Filters | None
    """None: wrong."""
    values: Mapping[str, Any]
    """The parameters that are no filters and are right."""
    errors: Mapping[str, str]

    def of(self, timeline: Timeline) -> Timeline:
        """Return the timeline with the filters.

        Raises `InvalidParameters` with everything that is wrong, a foreign cursor included.
        """
        errors = dict(self.errors)
        if self.filters is not None:
            timeline = timeline.filtered(self.filters)
            if (cursor := self.values.get("cursor")) is not None:
                try:
                    timeline.check_cursor(cursor)
                except InvalidCursorError as error:
                    errors["cursor"] = str(error)
        if errors:
            raise InvalidParameters(errors)
        return timeline


_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")

RecordParser = Callable[[str | None], Any]
"""From the text of a parameter, None where it is not given, to its value."""


def asked(request: Request, parameters: Mapping[str, RecordParser] = MappingProxyType({})) -> Asked:
    """Return what a request asks for: filters, and the parameters that an endpoint has besides."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    filters = None
    try:
        filters = Filters.read(request.query_params, besides=parameters)
    except InvalidFilterError as error:
        errors |= error.errors
    for name, read in parameters.items():
        given = request.query_params.getlist(name)
        try:
            values[name] = read(_only(given))
        except (ValueError, InvalidCursorError, UnknownFormatError) as error:
            errors[name] = str(error)
    return Asked(filters=filters, values=values, errors=errors)


def check_that_nothing_is_asked(request: Request) -> None:
    """Refuse every parameter: the endpoint has none, and none is ignored."""
    if request.query_params:
        detail = gettext("This endpoint takes no parameters.")
        raise InvalidParameters(dict.fromkeys(request.query_params, detail))


def _only(given: Sequence[str]) -> str | None:
    if len(given) > 1:
        raise ValueError(gettext("Given too often."))
    return given[0] if given else None


def _limit(text: str | None) -> int:
    if text is None:
        return page_size()
    if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= LARGEST_PAGE:
        raise ValueError(
            gettext("Give a whole number from 1 to %(most)d.") % {"most": LARGEST_PAGE}
        )
    return int(text)


def _cursor(text: str | None) -> str | None:
    if text is not None:
        Cursor.read(text, question=None)
    return text


def _format(text: str | None) -> str:
    return format_called("csv" if text is None else text).name


PAGING: Mapping[str, RecordParser] = {"limit": _limit, "cursor": _cursor}
FORMAT: Mapping[str, RecordParser] = {"format": _format}
