"""Deliver watches: settled entries after the last position, with the owner's masks of today.

At least once: the position is saved after the mail or the request went out. A watch that fails
keeps its position, and the others go on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import router

from django_customer_history.exceptions import HistoryError, TargetError
from django_customer_history.feed.following import INTERVAL
from django_customer_history.feed.locks import only_shipper
from django_customer_history.feed.messages import DEFAULT_FORMAT, MESSAGE_FORMATS
from django_customer_history.feed.targets.webhook import post_signed, signer_of
from django_customer_history.models import Watch
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.watches.conditions import fits
from django_customer_history.watches.digest import send_digest
from django_customer_history.watches.secrets import secret_of
from django_customer_history.watches.timelines import owner_of, timeline_of

BATCH = 500
"""Entries that are read at once."""
MOST_IN_A_DIGEST = 200
"""Entries of one mail. The rest comes with the next run."""
ALLOWS_PRIVATE = False
"""Users give the URLs, so webhooks never go to the project's own network."""

_FAILED = "The last delivery failed. An administrator can see why."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one watch in a run."""

    watch: Watch
    count: int = 0
    """Entries that were delivered, or would be."""
    problem: str = ""
    is_about_network: bool = False
    """Whether the problem can be about the servers of the project: not for the owner."""
    is_skipped: bool = False
    """Whether the owner is inactive or may not read this history any more."""


def deliver_all(*, dry_run: bool = False) -> Iterator[Outcome]:
    """Deliver every watch that has a delivery, and yield what became of each.

    Raises `TargetError` if another process delivers already.
    """
    alias = router.db_for_write(Watch)
    with only_shipper(alias, "watches"):
        for watch in Watch.objects.using(alias).exclude(delivery=Watch.NONE).order_by("pk"):
            outcome = _outcome(watch, dry_run=dry_run)
            if not dry_run and _for_the_owner(outcome) != watch.problem:
                _update(watch, problem=_for_the_owner(outcome))
            yield outcome


def _outcome(watch: Watch, *, dry_run: bool) -> Outcome:
    owner = owner_of(watch)
    if owner is None:
        return Outcome(watch=watch, problem="The owner is inactive or deleted.", is_skipped=True)
    try:
        with in_time_zone_of(owner):
            return Outcome(watch=watch, count=_deliver(watch, owner, dry_run=dry_run))
    except PermissionDenied:
        problem = "The owner may not read this history, or not export it by webhook."
        return Outcome(watch=watch, problem=problem, is_skipped=True)
    except TargetError as error:
        return Outcome(watch=watch, problem=str(error), is_about_network=True)
    except (HistoryError, ValidationError, ValueError) as error:
        return Outcome(watch=watch, problem=str(error))
    except Exception as error:  # noqa: BLE001 - the mail backend of a project may raise anything
        problem = f"{type(error).__name__}: {error}".removesuffix(": ")
        return Outcome(watch=watch, problem=problem, is_about_network=True)


def _for_the_owner(outcome: Outcome) -> str:
    return _FAILED if outcome.is_about_network else outcome.problem[:255]


def _deliver(watch: Watch, owner: object, *, dry_run: bool) -> int:
    timeline = timeline_of(watch, owner)  # type: ignore[arg-type]
    found: list[TimelineEntry] = []
    position, has_more = watch.position, True
    while has_more and len(found) < MOST_IN_A_DIGEST:
        page = timeline.feed(after=position, limit=BATCH, patience=INTERVAL)
        position, has_more = page.position, page.has_more
        for entry in page.entries:
            if not fits(watch, entry):
                continue
            found.append(entry)
            if len(found) == MOST_IN_A_DIGEST:
                position = entry.id
                break
    if dry_run:
        return len(found)
    if found:
        _SENDERS[watch.delivery](watch, owner, found)
    _update(watch, position=position)
    return len(found)


def _send_webhook(watch: Watch, _owner: object, entries: list[TimelineEntry]) -> None:
    signer = signer_of(secret_of(watch))
    for entry in entries:
        answer = post_signed(
            entry,
            url=urlsplit(watch.url),
            form=MESSAGE_FORMATS[DEFAULT_FORMAT],
            signer=signer,
            allows_private=ALLOWS_PRIVATE,
        )
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the statuses of success
            raise OSError(f"The webhook answered with status {answer.status}.")
        _update(watch, position=entry.id)


_SENDERS: dict[str, Callable[[Watch, object, list[TimelineEntry]], None]] = {
    Watch.EMAIL: send_digest,
    Watch.WEBHOOK: _send_webhook,
}


def _update(watch: Watch, **values: object) -> None:
    # Not save(): the owner may have deleted it meanwhile.
    Watch.objects.using(watch._state.db).filter(pk=watch.pk).update(**values)
