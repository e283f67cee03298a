"""What this package itself calls what happens, in the language of whoever reads it.

Short words have a context, so that neither Django's translations nor a project's take them for
their own.
"""

from collections.abc import Mapping
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext, pgettext_lazy

Kind = Literal["create", "update", "delete", "add", "remove", "event"]

KINDS: tuple[Kind, ...] = ("create", "update", "delete", "add", "remove", "event")

DEFAULT_ACTIONS: Mapping[Kind, str] = {
    "create": "Create",
    "update": "Update",
    "delete": "Delete",
    "add": "Add",
    "remove": "Remove",
    "event": "Event",
}

LONGEST_ACTION = 100
"""The length of the log's column `action`, in characters."""

BASELINE = "Baseline"
"""The action of an event that tells what a row held when its tracking began."""

BASELINE_KEY = "baseline"
"""The member of such an event's context that tells it from others: `acting(extra={BASELINE_KEY: True})`."""

KIND_LABELS: Mapping[str, str | Promise] = {
    "create": pgettext_lazy("action", "Create"),
    "update": pgettext_lazy("action", "Update"),
    "delete": pgettext_lazy("action", "Delete"),
    "add": pgettext_lazy("action", "Add"),
    "remove": pgettext_lazy("action", "Remove"),
    "event": pgettext_lazy("action", "Event"),
}
"""The kinds of the log; what happened is called so, too, where it has no name of its own."""

OWN_ACTIONS: tuple[str | Promise, ...] = (
    pgettext_lazy("action", "Baseline"),
    pgettext_lazy("action", "History Exported"),
    pgettext_lazy("action", "Confidential Values Revealed"),
    pgettext_lazy("action", "History Paused"),
    pgettext_lazy("action", "History Resumed"),
    pgettext_lazy("action", "History Started"),
    pgettext_lazy("action", "History Changed"),
    pgettext_lazy("action", "History Stopped"),
)
"""The names of the events that this package records."""

MASK_LABELS: Mapping[str, str | Promise] = {
    "full": pgettext_lazy("mask", "Everything is hidden"),
    "ssn": pgettext_lazy("mask", "Social security number: the last four show"),
    "card": pgettext_lazy("mask", "Card: the last four digits show"),
    "account": pgettext_lazy("mask", "Account: the last four characters show"),
    "email": pgettext_lazy("mask", "E-mail: first letter and domain show"),
}
"""The masks that staff can choose, and what they leave of a value."""

OWN_MODEL_LABELS: Mapping[str, str | Promise] = {
    "customer_history.pause": pgettext_lazy("record", "pause of the history"),
    "customer_history.registration": pgettext_lazy("record", "registration for the history"),
}
"""What events of this package are about, where that is no model."""

OWN_FIELD_LABELS: Mapping[str, str | Promise] = {
    "fields": pgettext_lazy("of an event", "Fields"),
    "filters": pgettext_lazy("of an event", "Filters"),
    "format": pgettext_lazy("of an event", "Format"),
}
"""What events of this package tell about the log itself."""


def action_label(action: str) -> str:
    """Return the name of an action as its reader says it.

    A name that a project gave is looked up among the project's own translations.
    """
    own = pgettext("action", action)
    return gettext(action) if action and own == action else own


def system_label() -> str:
    """Return what stands for the user where nobody acted."""
    return pgettext("user", "System")
