"""Which fields of a record a user may see on the pages of the CRM: the same as in the history.

Confidential fields are those that a model names and those that an administrator marked: a field
such as `phone`, or a custom field such as `udf.gate_code`.
"""

from django_customer_history.masks import (
    FULL,
    MASKS,
)
from django_customer_history.models import ConfidentialField

EVERYTHING = "customer_history.view_confidential"


def confidential_rules(model):
    """Return the confidential fields of a model, each with its mask."""
    marks = ConfidentialField.objects.filter(model=model._meta.label_lower)
    marked = {mark.field: MASKS.get(mark.mask, FULL) for mark in marks}
    return {**getattr(model, "confidential", {}), **marked}


def may_see(user, model, field):
    """Return whether the user may see the values of a confidential field."""
    codename = f"view_confidential_{model._meta.model_name}_{field.replace('.', '__')}"
    return user.has_perm(EVERYTHING) or user.has_perm(f"{model._meta.app_label}.{codename}")


def hidden(user, model):
    """Return the fields of a model that the user may not see, each with its mask."""
    return {
        field: mask
        for field, mask in confidential_rules(model).items()
        if not may_see(user, model, field)
    }
