"""Values of records, as text for pages."""

from dataclasses import dataclass

from django.db import models
from django.utils import timezone
from django.utils.formats import localize
from django.utils.text import capfirst
from django.utils.translation import gettext

from crm.money import dollars

NOT_SHOWN = {"id", "customer", "content_type", "object_id", "password"}
NOTHING = "—"
MONEY = {"amount", "monthly_rate", "price", "sale_price"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A value of a record, as one user may see it."""

    label: str
    text: str
    name: str = ""
    """The name of the field, whose history the page links to; empty for other values."""
    is_masked: bool = False
    is_number: bool = False
    badge: str = ""
    """The CSS class of a status: its value."""

    @classmethod
    def of(cls, record, name, hidden):
        """Return a field's value. `hidden` has the masks of fields that the user may not see."""
        field = record._meta.get_field(name)
        value = getattr(record, name)
        is_masked = name in hidden and value not in (None, "")
        return cls(
            label=capfirst(str(field.verbose_name)),
            name=name,
            text=hidden[name](str(value)) if is_masked else _text(record, field, value),
            is_masked=is_masked,
            is_number=isinstance(field, models.DecimalField),
            badge=value if name in {"status", "priority"} else "",
        )


def shown_fields(record, hidden):
    """Return the values of all fields of a record."""
    return [
        Shown.of(record, field.name, hidden)
        for field in record._meta.fields
        if field.name not in NOT_SHOWN
    ]


def _text(record, field, value):
    if value is None or value == "":
        return NOTHING
    if field.choices:
        return getattr(record, f"get_{field.name}_display")()
    if field.name in MONEY:
        return dollars(value)
    if isinstance(field, models.FileField):
        return value.name.rpartition("/")[2]
    if isinstance(field, models.DateTimeField):
        value = timezone.localtime(value)
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    return str(localize(value))
