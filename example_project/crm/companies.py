"""Permissions end at the company, on pages and in the admin, the API and the history.

The attribute `company_path` of a model is the path from its records to the key of their company.
Models without it, such as users, do not belong to a company.
"""

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.utils.functional import SimpleLazyObject


def company_key_of(user):
    """Return the key of the user's company, or None."""
    try:
        return user.employee.company_id
    except (AttributeError, ObjectDoesNotExist):
        return None


def company_of_reader(request):
    """Return the user's company for templates; views of a company put theirs in its place."""
    return {"company": SimpleLazyObject(lambda: _company_of(request.user))}


def time_zone_of(user):
    """Return the name of the user's time zone, or None for the time zone of the site."""
    try:
        return user.employee.time_zone or None
    except (AttributeError, ObjectDoesNotExist):
        return None


def is_in_reach(user, record):
    """Return whether a record belongs to the user's company. Superusers have all companies.

    The record may be deleted: the history then asks with the last known values. A record whose
    company is not known does not belong to the user's company.
    """
    path = getattr(record, "company_path", None)
    if user.is_superuser or path is None:
        return True
    try:
        for name in path.split("__"):
            record = getattr(record, name)
    except (AttributeError, ObjectDoesNotExist):
        return False
    return record is not None and record == company_key_of(user)


def within_reach(user, records):
    """Return the records of a queryset that belong to the user's company."""
    path = getattr(records.model, "company_path", None)
    if user.is_superuser or path is None:
        return records
    lookup = getattr(records.model, "company_lookup", path)
    return records.filter(**{lookup: company_key_of(user) or ""})


def _company_of(user):
    try:
        return user.employee.company
    except (AttributeError, ObjectDoesNotExist):
        return None


class CompanyBackend(ModelBackend):
    """Django's permissions, but none for a record of another company.

    The history asks with the record. `PermissionDenied` hides it: a 404, and no entries in lists.
    """

    def has_perm(self, user_obj, perm, obj=None):
        """Return whether the user has a permission.

        Raises `PermissionDenied` for a record of another company.
        """
        if obj is not None and not is_in_reach(user_obj, obj):
            raise PermissionDenied
        return super().has_perm(user_obj, perm)
