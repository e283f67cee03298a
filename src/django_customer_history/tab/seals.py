"""The seal of the entry that a link leads to, and the download of its proof."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from django_customer_history.exceptions import (
    ForeignRequestError,
    InvalidFilterError,
    NotSealedError,
    SealError,
)
from django_customer_history.export.foreign_requests import is_from_another_site
from django_customer_history.export.proofs import FORMAT, EntryProof
from django_customer_history.feed.seals.keys import has_key
from django_customer_history.feed.seals.places import PlaceInLog
from django_customer_history.reading.time_zones import in_time_zone_of, reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.days import Moment, describe_moment
from django_customer_history.tab.query import TabQuery
from django_customer_history.tab.urls import page_url, with_query


@dataclass(frozen=True, slots=True, kw_only=True)
class TabSeal:
    """The seal of one entry."""

    moment: Moment
    log_name: str
    size: int
    """The number of entries in its checkpoint."""
    proof_link: str | None
    """The URL of the proof; None if the reader may not export, or there is no key for it."""


def build_seal(
    timeline: Timeline, key: UUID, *, url: str | None, zone: tzinfo, now: datetime
) -> TabSeal | None:
    """Return the seal of an entry; None: it is not sealed yet.

    `url` is the URL of the page that exports; None if the reader may not export there.
    """
    place = PlaceInLog.of(key, using=timeline.queryset.db)
    if place is None:
        return None
    has_proof = url is not None and has_key()
    return TabSeal(
        moment=describe_moment(place.timestamp, zone=zone, now=now),
        log_name=place.log_name,
        size=place.size,
        proof_link=with_query(url, f"format={FORMAT}&entry={key}") if has_proof and url else None,
    )


def seal_on_page(request: HttpRequest, timeline: Timeline, key: UUID) -> TabSeal | None:
    """Return the seal of the entry whose own page a request asks for."""
    try:
        timeline.exported()
    except PermissionDenied:
        url = None
    else:
        url = page_url(request)
    zone = reader_time_zone(request.user)
    return build_seal(timeline, key, url=url, zone=zone, now=timezone.now())


def is_proof(query: TabQuery) -> bool:
    """Return whether a request asks for the proof of an entry."""
    return query.value("format") == FORMAT


def proof_download(request: HttpRequest, timeline: Timeline, key: UUID | None) -> HttpResponse:
    """Return the proof of an entry as a file, and record the export.

    Raises `PermissionDenied` if the reader may not export the timeline, `NotFoundError` if it does
    not have the entry, `InvalidFilterError` if there is no proof, and `ForeignRequestError` if
    another site started the download.
    """
    if is_from_another_site(request):
        raise ForeignRequestError("Another site started this download.")
    if key is None:
        raise InvalidFilterError({"entry": gettext("Give the ID of an entry.")})
    try:
        with in_time_zone_of(request.user):
            return EntryProof.of(timeline, key).response(request)
    except NotSealedError as error:
        text = gettext("This change is not sealed yet.")
        raise InvalidFilterError({"entry": text}) from error
    except SealError as error:
        text = gettext(
            "This change cannot be proved. An administrator can find out why with history_verify."
        )
        raise InvalidFilterError({"entry": text}) from error
