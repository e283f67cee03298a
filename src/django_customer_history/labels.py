"""The package's own names: kinds, actions, masks and users, in the active language.

Short words have a translation context, so that they do not get the translations that Django or
the project has for the same word.
"""

from collections.abc import Mapping
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext, pgettext_lazy

Kind = Literal["create", "update", "delete", "add", "remove", "event", "view"]

KINDS: tuple[Kind, ...] = ("create", "update", "delete", "add", "remove", "event", "view")

DEFAULT_ACTIONS: Mapping[Kind, str] = {
    "create": "Create",
    "update": "Update",
    "delete": "Delete",
    "add": "Add",
    "remove": "Remove",
    "event": "Event",
    "view": "Viewed",
}

LONGEST_ACTION = 100
"""The length of the log's column `action`, in characters."""

VIEWED = DEFAULT_ACTIONS["view"]
"""The action of an entry that says who looked at a record."""

BASELINE = "Baseline"
"""The action of an event that has what a row held when its tracking began."""

BASELINE_KEY = "baseline"
"""The key in the context of such an event: `acting(extra={BASELINE_KEY: True})`."""

KIND_LABELS: Mapping[str, str | Promise] = {
    "create": pgettext_lazy("action", "Create"),
    "update": pgettext_lazy("action", "Update"),
    "delete": pgettext_lazy("action", "Delete"),
    "add": pgettext_lazy("action", "Add"),
    "remove": pgettext_lazy("action", "Remove"),
    "event": pgettext_lazy("action", "Event"),
    "view": pgettext_lazy("action", "Viewed"),
}
"""The names of the kinds, which are also the names of actions without a name of their own."""

OWN_ACTIONS: tuple[str | Promise, ...] = (
    pgettext_lazy("action", "Baseline"),
    pgettext_lazy("action", "History Exported"),
    pgettext_lazy("action", "Confidential Values Revealed"),
    pgettext_lazy("action", "History Paused"),
    pgettext_lazy("action", "History Resumed"),
    pgettext_lazy("action", "History Started"),
    pgettext_lazy("action", "History Changed"),
    pgettext_lazy("action", "History Stopped"),
    pgettext_lazy("action", "History Baselined"),
    pgettext_lazy("action", "History Imported"),
    pgettext_lazy("action", "Model Renamed"),
    pgettext_lazy("action", "Field Renamed"),
    pgettext_lazy("action", "Undo"),
    pgettext_lazy("action", "Restore"),
    pgettext_lazy("action", "Revert"),
    pgettext_lazy("action", "Logged In"),
    pgettext_lazy("action", "Logged Out"),
    pgettext_lazy("action", "Log-in Failed"),
    pgettext_lazy("action", "Log-in Locked"),
    pgettext_lazy("action", "Password Reset"),
    pgettext_lazy("action", "Password Reset Requested"),
    pgettext_lazy("action", "Permission Denied"),
    pgettext_lazy("action", "Impersonation Started"),
    pgettext_lazy("action", "Impersonation Ended"),
)
"""The actions that this package itself records."""

MASK_LABELS: Mapping[str, str | Promise] = {
    "full": pgettext_lazy("mask", "Hide everything"),
    "ssn": pgettext_lazy("mask", "Social security number: show the last four digits"),
    "card": pgettext_lazy("mask", "Card number: show the last four digits"),
    "account": pgettext_lazy("mask", "Account number: show the last four characters"),
    "email": pgettext_lazy("mask", "E-mail address: show the first letter and the domain"),
}
"""The masks that staff can choose, and what they show of a value."""

OWN_MODEL_LABELS: Mapping[str, str | Promise] = {
    "customer_history.baseline": pgettext_lazy("record", "history baseline"),
    "customer_history.import": pgettext_lazy("record", "history import"),
    "customer_history.pause": pgettext_lazy("record", "history pause"),
    "customer_history.log_in": pgettext_lazy("record", "log-in"),
    "customer_history.registration": pgettext_lazy("record", "history registration"),
    "customer_history.rename": pgettext_lazy("record", "rename"),
}
"""The names of entities that are not records of a model, in this package's own events."""

OWN_FIELD_LABELS: Mapping[str, str | Promise] = {
    "entries": pgettext_lazy("of an event", "Entries"),
    "field": pgettext_lazy("of an event", "Field"),
    "fields": pgettext_lazy("of an event", "Fields"),
    "first": pgettext_lazy("of an event", "First entry"),
    "last": pgettext_lazy("of an event", "Last entry"),
    "filters": pgettext_lazy("of an event", "Filters"),
    "format": pgettext_lazy("of an event", "Format"),
    "model": pgettext_lazy("of an event", "Model"),
    "username": pgettext_lazy("of an event", "User name"),
    "not_logged": pgettext_lazy("of an event", "Not logged"),
    "method": pgettext_lazy("of an event", "Method"),
    "path": pgettext_lazy("of an event", "Path"),
}
"""The labels of the fields in this package's own events."""


def action_label(action: str) -> str:
    """Return the name of an action in the active language.

    The names of a project's own actions are translated by the project's translations.
    """
    own = pgettext("action", action)
    return gettext(action) if action and own == action else own


def system_label() -> str:
    """Return the name that is shown instead of a user for changes without one."""
    return pgettext("user", "System")
