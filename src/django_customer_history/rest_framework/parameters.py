"""The query parameters of an endpoint that are not filters: `limit`, `cursor` and `format`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext
from rest_framework.request import Request

from django_customer_history.conf import (
    LARGEST_PAGE,
    page_size,
)
from django_customer_history.exceptions import (
    InvalidCursorError,
    UnknownFormatError,
)
from django_customer_history.export.formats import get_format
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.timeline import Timeline
from django_customer_history.rest_framework.problems import InvalidParameters

Parser = Callable[[str | None, Timeline | None], Any]
"""From the text of a parameter, None if it is absent, to its value.

The second argument is the filtered timeline; None if the filters are wrong.
"""

_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


def read_parameters(
    request: Request, parsers: Mapping[str, Parser], *, timeline: Timeline | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of some parameters, and what is wrong with the others."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, parse in parsers.items():
        try:
            values[name] = parse(_single(request.query_params.getlist(name)), timeline)
        except (ValueError, InvalidCursorError, UnknownFormatError) as error:
            errors[name] = str(error)
    return values, errors


def check_no_parameters(request: Request) -> None:
    """Raise `InvalidParameters` for any parameter, as no parameter is ever ignored."""
    if request.query_params:
        detail = gettext("This endpoint takes no parameters.")
        raise InvalidParameters(dict.fromkeys(request.query_params, detail))


def uuid_or_404(text: str) -> UUID:
    """Return the UUID of a text in its canonical form. Raise 404 for any other text."""
    try:
        key = UUID(text)
    except ValueError:
        raise Http404 from None
    if str(key) != text.lower():
        raise Http404
    return key


def _single(given: Sequence[str]) -> str | None:
    if len(given) > 1:
        raise ValueError(gettext("Given too often."))
    return given[0] if given else None


def _limit(text: str | None, timeline: Timeline | None) -> int:
    if text is None:
        return page_size()
    if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= LARGEST_PAGE:
        raise ValueError(
            gettext("Give a whole number from 1 to %(most)d.") % {"most": LARGEST_PAGE}
        )
    return int(text)


def _cursor(text: str | None, timeline: Timeline | None) -> str | None:
    if text is None:
        return None
    if timeline is None:
        Cursor.read(text, question=None)
    else:
        timeline.check_cursor(text)
    return text


def _format(text: str | None, timeline: Timeline | None) -> str:
    return get_format("csv" if text is None else text).name


PAGE_PARAMETERS: Mapping[str, Parser] = {"limit": _limit, "cursor": _cursor}
EXPORT_PARAMETERS: Mapping[str, Parser] = {"format": _format}
