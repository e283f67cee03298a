"""The values of a context, as entries get them."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

REASON_KEYS = ("reason", "migration")
"""Members of an entry's `context` each of which says why it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUser:
    """Who acts: the key of a user (or of an API key, a robot) and the name it has now.

    Without a key it is someone whom the project has no record of, such as a shell's user.
    """

    id: str | None
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedContext:
    """A context with every lazy part resolved: what an entry bears besides its change."""

    user_id: str | None = None
    user_label: str | None = None
    source: str = "system"
    ip_address: str | None = None
    request_id: UUID | None = None
    action: str | None = None
    detail: str | None = None
    """Canonical JSON text of the entry's `context` column, or None."""
    paused: bool = False
    """Whether triggers shall log nothing."""

    @property
    def context(self) -> dict[str, Any] | None:
        """The entry's `context` column as a dict, or None."""
        return None if self.detail is None else json.loads(self.detail)

    @property
    def has_reason(self) -> bool:
        """Whether it is said why: by a reason, or by a data migration's name."""
        return any(name in (self.context or {}) for name in REASON_KEYS)

    def as_json(self) -> str:
        """Return the attribution as one JSON object, without what is None."""
        values = {
            "user_id": self.user_id,
            "user_label": self.user_label,
            "source": self.source,
            "ip_address": self.ip_address,
            "request_id": None if self.request_id is None else str(self.request_id),
            "action": self.action,
            "context": self.context,
            "paused": self.paused or None,
        }
        return json.dumps({name: value for name, value in values.items() if value is not None})
