"""Deliver watches: settled entries after the last position, with the owner's masks of today.

At least once: the position is saved after the mail or the request went out. A watch that fails
keeps its position, and the others go on. A webhook that fails too often is disabled, and the log
has an entry about it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import router
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from django_customer_history.exceptions import HistoryError, TargetError
from django_customer_history.feed.following import INTERVAL
from django_customer_history.feed.locks import only_shipper
from django_customer_history.feed.messages import DEFAULT_FORMAT, MESSAGE_FORMATS
from django_customer_history.feed.targets.webhook import (
    GONE,
    MOST_FAILURES,
    post_signed,
    record_disabled,
    signer_of,
)
from django_customer_history.models import Watch
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.watches.conditions import fits
from django_customer_history.watches.digest import send_digest
from django_customer_history.watches.secrets import secrets_of
from django_customer_history.watches.timelines import owner_of, timeline_of

BATCH = 500
"""Entries that are read at once."""
MOST_IN_A_DIGEST = 200
"""Entries of one mail. The rest comes with the next run."""
ALLOWS_PRIVATE = False
"""Users give the URLs, so webhooks never go to the project's own network."""

_FAILED = gettext_lazy("The last delivery failed. An administrator can see why.")
_NO_OWNER = gettext_lazy("The owner is inactive or deleted.")
_NO_RIGHT = gettext_lazy("The owner may not read this history, or not export it by webhook.")


class _GoneError(TargetError):
    """The receiver of a webhook says that it is gone for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one watch in a run."""

    watch: Watch
    count: int = 0
    """Entries that were delivered, or would be."""
    problem: str | Promise = ""
    """What went wrong. What the owner may see is translated for the owner."""
    is_about_network: bool = False
    """Whether the problem can be about the servers of the project: not for the owner."""
    is_skipped: bool = False
    """Whether the owner is inactive or may not read this history any more."""
    is_disabled: bool = False
    """Whether the webhook failed too often now."""


def deliver_all(*, dry_run: bool = False) -> Iterator[Outcome]:
    """Deliver every watch that has a delivery, and yield what became of each.

    Raises `TargetError` if another process delivers already.
    """
    alias = router.db_for_write(Watch)
    with only_shipper(alias, "watches"):
        wanted = Watch.objects.using(alias).exclude(delivery=Watch.NONE)
        for watch in wanted.filter(is_disabled=False).order_by("pk"):
            outcome = _outcome(watch, dry_run=dry_run)
            if not dry_run:
                _keep(outcome)
            yield outcome


def _keep(outcome: Outcome) -> None:
    """Save the problem, or that there is none any more."""
    watch = outcome.watch
    with _language_of(watch):
        problem = str(_FAILED) if outcome.is_about_network else str(outcome.problem)[:255]
    failures = watch.failures + 1 if outcome.is_about_network else 0
    known = (watch.problem, watch.failures, watch.is_disabled)
    if (problem, failures, outcome.is_disabled) != known:
        _update(watch, problem=problem, failures=failures, is_disabled=outcome.is_disabled)
    if outcome.is_disabled:
        about = ("customer_history.watch", str(watch.pk))
        record_disabled(about, str(outcome.problem), using=str(watch._state.db))


def _language_of(watch: Watch) -> translation.override:
    """Return a block in the language in which the watch was saved."""
    return translation.override(watch.language or translation.get_language())


def _outcome(watch: Watch, *, dry_run: bool) -> Outcome:
    owner = owner_of(watch)
    if owner is None:
        return Outcome(watch=watch, problem=_NO_OWNER, is_skipped=True)
    try:
        with in_time_zone_of(owner):
            return Outcome(watch=watch, count=_deliver(watch, owner, dry_run=dry_run))
    except PermissionDenied:
        return Outcome(watch=watch, problem=_NO_RIGHT, is_skipped=True)
    except TargetError as error:
        return _failed(watch, str(error), is_gone=isinstance(error, _GoneError))
    except (HistoryError, ValidationError, ValueError) as error:
        return Outcome(watch=watch, problem=str(error))
    except Exception as error:  # noqa: BLE001 - the mail backend of a project may raise anything
        return _failed(watch, f"{type(error).__name__}: {error}".removesuffix(": "))


def _failed(watch: Watch, problem: str, *, is_gone: bool = False) -> Outcome:
    """Return the outcome of a problem that can be about the servers of the project."""
    is_last = is_gone or watch.failures + 1 >= MOST_FAILURES
    return Outcome(
        watch=watch,
        problem=problem,
        is_about_network=True,
        is_disabled=is_last and watch.delivery == Watch.WEBHOOK,
    )


def _deliver(watch: Watch, owner: object, *, dry_run: bool) -> int:
    timeline = timeline_of(watch, owner)  # type: ignore[arg-type]
    found: list[TimelineEntry] = []
    changes: set[UUID] = set()
    position, has_more = watch.position, True
    while has_more and len(found) < MOST_IN_A_DIGEST:
        page = timeline.feed(after=position, limit=BATCH, patience=INTERVAL)
        position, has_more = page.position, page.has_more
        for entry in page.entries:
            # A change with several subjects has an entry for each: the first is enough.
            if entry.primary_id in changes or not fits(watch, entry):
                continue
            changes.add(entry.primary_id or entry.id)
            found.append(entry)
            if len(found) == MOST_IN_A_DIGEST:
                position = entry.id
                break
    if dry_run:
        return len(found)
    if found:
        with _language_of(watch):
            _SENDERS[watch.delivery](watch, owner, found)
    _update(watch, position=position)
    return len(found)


def _send_webhook(watch: Watch, _owner: object, entries: list[TimelineEntry]) -> None:
    signers = [signer_of(secret) for secret in secrets_of(watch)]
    for entry in entries:
        answer = post_signed(
            entry,
            url=urlsplit(watch.url),
            form=MESSAGE_FORMATS[DEFAULT_FORMAT],
            signers=signers,
            allows_private=ALLOWS_PRIVATE,
        )
        if not answer.is_success:
            error = _GoneError if answer.status == GONE else TargetError
            raise error(f"The webhook answered with status {answer.status}.")
        _update(watch, position=entry.id)


_SENDERS: dict[str, Callable[[Watch, object, list[TimelineEntry]], None]] = {
    Watch.EMAIL: send_digest,
    Watch.WEBHOOK: _send_webhook,
}


def _update(watch: Watch, **values: object) -> None:
    # Not save(): the owner may have deleted it meanwhile.
    Watch.objects.using(watch._state.db).filter(pk=watch.pk).update(**values)
