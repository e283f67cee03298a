"""The values of a context as entries get them."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

REASON_KEYS = ("reason", "migration")
"""Members of an entry's `context` that count as a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUser:
    """The user of an entry: a key and the name at that time.

    It can also be an API key or a robot. Without `id` it is somebody who has no record in the
    project, such as the user of a shell.
    """

    id: str | None
    """The key as text, or None."""
    label: str
    """The name to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedContext:
    """A context with its lazy values resolved: the columns of an entry apart from its change."""

    user_id: str | None = None
    user_label: str | None = None
    source: str = "system"
    ip_address: str | None = None
    request_id: UUID | None = None
    action: str | None = None
    detail: str | None = None
    """The entry's `context` column as canonical JSON text, or None."""
    paused: bool = False
    """Whether triggers log nothing."""

    @property
    def context(self) -> dict[str, Any] | None:
        """The entry's `context` column as a dict, or None."""
        return None if self.detail is None else json.loads(self.detail)

    @property
    def has_reason(self) -> bool:
        """Whether there is a reason; the name of a data migration counts as one."""
        return any(name in (self.context or {}) for name in REASON_KEYS)

    def as_json(self) -> str:
        """Return the context as one JSON object, without values that are None."""
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
