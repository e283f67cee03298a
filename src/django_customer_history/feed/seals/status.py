"""Whether the log is sealed, published and verified in time: for a health page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from django_customer_history import conf
from django_customer_history.backends.settling import LOWEST_KEY
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.attestations import missing_attestations
from django_customer_history.feed.seals.comparison import last_key
from django_customer_history.feed.seals.copies import missing_copies
from django_customer_history.feed.seals.findings import number_of
from django_customer_history.feed.seals.keys import has_key, key_of_settings
from django_customer_history.feed.seals.results import VerificationResult
from django_customer_history.feed.seals.sealing import log_name_of
from django_customer_history.models import Entry, Seal
from django_customer_history.values.moments import in_utc

MOST_COUNTED = 10_000
"""Of more entries that are not sealed, only this number is counted."""

_GRACE = timedelta(minutes=1)
"""A seal that is younger may be on its way to other places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealStatus:
    """How far the log of a database is sealed and verified. Moments are in UTC."""

    log_name: str
    size: int = 0
    """The number of sealed entries."""
    sealed: datetime | None = None
    """When the last seal was made; None: there is none."""
    unsealed: int = 0
    """The number of entries after the last seal, at most 10,000."""
    unsealed_since: datetime | None = None
    """The time of the oldest of them; None: all entries are sealed."""
    verified: datetime | None = None
    """When the whole log was verified; None: never."""
    findings: int | None = None
    """How much was wrong then; None: it is not known."""
    lacks: tuple[str, ...] = ()
    """What the last checkpoint lacks: a copy in a folder, a timestamp, a signature of a witness.
    It is empty in the first minute of a seal."""


def seal_status(*, using: str) -> SealStatus | None:
    """Return how far the log of a database is sealed; None without the setting SEAL_KEY.

    It reads a few rows, at most 10,000 keys, and asks each folder for one file. Raises `SealError`
    if the key cannot be read.
    """
    if not has_key():
        return None
    log_name = log_name_of(key_of_settings(), using=using)
    last = Seal.objects.using(using).filter(log_name=log_name).defer("index").last()
    after = last_key(log_name, using=using) if last is not None else LOWEST_KEY
    later = Entry.objects.using(using).filter(id__gt=after).order_by("id")
    oldest = later.values_list("timestamp", flat=True).first()
    result = VerificationResult.last(log_name, using=using)
    is_new = last is None or timezone.now() - in_utc(last.timestamp) < _GRACE
    return SealStatus(
        log_name=log_name,
        size=last.size if last else 0,
        sealed=in_utc(last.timestamp) if last else None,
        unsealed=later[:MOST_COUNTED].count(),
        unsealed_since=in_utc(oldest) if oldest else None,
        verified=result.timestamp if result else None,
        findings=result.findings if result else None,
        lacks=() if last is None or is_new else tuple(_lacks(last)),
    )


def seal_problems(*, using: str) -> list[str]:
    """Return what is wrong with the seals of a log, by the limits of the settings."""
    try:
        status = seal_status(using=using)
    except SealError as error:
        return [str(error)]
    return [] if status is None else [*_of_sealing(status), *_of_verification(status, using)]


def _of_sealing(status: SealStatus) -> Iterator[str]:
    age = _age(status.unsealed_since)
    if age > timedelta(seconds=conf.seal_lag_limit()):
        more = " or more" if status.unsealed == MOST_COUNTED else ""
        yield (
            f"{status.unsealed}{more} entries are not sealed, the oldest of them since"
            f" {_shown(age)}: run history_seal"
        )
    yield from status.lacks


def _of_verification(status: SealStatus, using: str) -> Iterator[str]:
    if status.findings:
        yield (
            f"the log is not what was sealed: history_verify had {number_of(status.findings)}"
            f" on {status.verified:%Y-%m-%d}"
        )
    limit = conf.verification_age_limit()
    since = status.verified or _first_seal(status.log_name, using)
    if limit and (age := _age(since)) > timedelta(seconds=limit):
        what = "verified" if status.verified else "sealed for the first time, and never verified,"
        yield f"the log was {what} {_shown(age)} ago: run history_verify"


def _first_seal(log_name: str, using: str) -> datetime | None:
    seals = Seal.objects.using(using).filter(log_name=log_name).order_by("id")
    moment = seals.values_list("timestamp", flat=True).first()
    return None if moment is None else in_utc(moment)


def _age(since: datetime | None) -> timedelta:
    return timedelta() if since is None else timezone.now() - since


def _shown(age: timedelta) -> str:
    hours = age.total_seconds() / 3_600
    return f"{hours:.1f} hours" if hours < 48 else f"{age.days} days"  # noqa: PLR2004 - two days


def _lacks(seal: Seal) -> Iterator[str]:
    yield from missing_copies(seal)
    yield from missing_attestations(seal)
