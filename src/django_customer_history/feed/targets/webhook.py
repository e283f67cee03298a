"""A webhook, signed as Standard Webhooks describes: one request for each entry.

At least once: the state file is written after the answer. `webhook-id` is the id of the entry, so
that a receiver can leave out what it has.
"""

import http.client
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult
from uuid import UUID

from django_customer_history.capture.events import record_about_history
from django_customer_history.exceptions import TargetError
from django_customer_history.feed.messages import MessageFormat
from django_customer_history.feed.state import StateFile
from django_customer_history.feed.targets.base import Destination, Target, imported
from django_customer_history.feed.targets.requests import Answer, checked_address, post
from django_customer_history.reading.entries import FeedPage, TimelineEntry

_EXTRA = "webhook"
DISABLED = "Webhook Disabled"
"""The action of the entry about a webhook that failed too often."""
ATTEMPTS = 6
"""How often an entry is sent before the run fails."""
MOST_FAILURES = 5
"""How many runs may fail one after the other before the webhook is disabled."""
FIRST_WAIT = 1.0
"""In seconds: before the second attempt. It doubles with each."""
_LONGEST_WAIT = 60.0
_LONGEST_MESSAGE = 256 * 1024
"""In bytes: a longer message has no changes, only their number."""
GONE = 410
"""The status by which a receiver says that nothing should be sent any more."""


class Webhook(Target):
    """Sends to a URL. `https://example.com/hooks/history`."""

    batch = 100
    has_state_file = True
    first_wait = FIRST_WAIT

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        imported("standardwebhooks", extra=_EXTRA)
        if destination.state is None:
            raise TargetError("A webhook does not keep a position. Give --state FILE.")
        if not destination.secret:
            raise TargetError(
                "A webhook needs a secret. Give --secret-file with a file that has whsec_ and at"
                " least 24 random bytes in base64."
            )
        self._signer = signer_of(destination.secret)
        place = f"{destination.question}>{destination.name}"
        self._state = StateFile(path=destination.state, question=place)
        self._position: UUID | None = None
        self._failures = 0

    def position(self) -> UUID | None:
        """Return the position of the state file. Raise `TargetError` for a disabled webhook."""
        state = self._state.load()
        details = {} if state is None else state.details
        if details.get("disabled") and not self.destination.reenables:
            raise TargetError(
                f"{self.destination.name} is disabled since {details['disabled']}, because it"
                " failed too often. Repair it, then run the command once with --enable."
            )
        self._failures = 0 if self.destination.reenables else int(details.get("failures", 0))
        self._position = None if state is None else state.position
        try:
            checked_address(self.destination.url, allows_private=self.destination.allows_private)
        except OSError as error:
            raise self.refused(error) from error
        return self._position

    def write(self, page: FeedPage) -> None:
        """Send the entries, and keep the position after each."""
        for entry in page.entries:
            self._send(entry)
            self._keep(entry.id)
        self._keep(page.position)

    def _keep(self, position: UUID) -> None:
        self._position, self._failures = position, 0
        self._state.write(position)

    def _send(self, entry: TimelineEntry) -> None:
        wait, problem = self.first_wait, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            try:
                answer = self._post(entry)
            except (OSError, http.client.HTTPException) as error:
                problem = str(error) or type(error).__name__
                continue
            if answer.is_success:
                return
            problem = f"status {answer.status}"
            if answer.status == GONE:
                self._disable(problem)
            wait = min(max(wait, answer.wait or 0.0), _LONGEST_WAIT)
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._disable(problem)
        self._state.write(self._position, failures=self._failures)
        raise self.refused(problem)

    def _post(self, entry: TimelineEntry) -> Answer:
        destination = self.destination
        return post_signed(
            entry,
            url=destination.url,
            form=destination.format,
            signers=[self._signer],
            allows_private=destination.allows_private,
        )

    def _disable(self, problem: str) -> None:
        """Send nothing any more until somebody enables it, and say so in the log."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._state.write(self._position, failures=self._failures, disabled=now)
        about = ("customer_history.webhook", self.destination.name[:255])
        record_disabled(about, problem, using=self.destination.alias)
        raise TargetError(
            f"{self.destination.name} failed too often ({problem}) and is disabled. Repair it, then"
            " run the command once with --enable."
        )


def record_disabled(about: tuple[str, str], problem: str, *, using: str) -> None:
    """Log that a webhook failed too often, and how at last."""
    record_about_history(DISABLED, about=about, changes={"problem": [None, problem]}, using=using)


def signer_of(secret: str) -> Any:
    """Return what signs with a secret. Raise `TargetError` if it is not valid."""
    library = imported("standardwebhooks", extra=_EXTRA)
    try:
        return library.Webhook(secret)
    except (ValueError, RuntimeError) as error:
        raise TargetError(f"The secret is not valid: {error}. Write it as whsec_...") from error


def post_signed(
    entry: TimelineEntry,
    *,
    url: SplitResult,
    form: MessageFormat,
    signers: Sequence[Any],
    allows_private: bool,
) -> Answer:
    """Send an entry once and return the answer. Raises what `post` raises.

    There is a signature for each signer: while a secret is replaced, the receiver may know either.
    """
    content = form.encoded(entry, limit=_LONGEST_MESSAGE)
    # The library takes a datetime in UTC.
    now = datetime.now(UTC)
    headers = {
        "Content-Type": form.media_type,
        "User-Agent": "django-customer-history",
        "webhook-id": str(entry.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            one.sign(str(entry.id), now, content.decode()) for one in signers
        ),
    }
    return post(url, content, headers, allows_private=allows_private)
