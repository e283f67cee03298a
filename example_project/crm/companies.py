"""Rights stop at the company: the one rule, for pages, admin, API and history alike.

Each model says in `company_path` how to get from its rows to the key of their company. What has
no such path, such as users, belongs to no company in particular.
"""

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied


def company_key_of(user):
    """Return the key of the company that a user works for; None: of none."""
    try:
        return user.employee.company_id
    except (AttributeError, ObjectDoesNotExist):
        return None


def time_zone_of(user):
    """Return the name of the time zone that a user reads in; None: that of the site."""
    try:
        return user.employee.time_zone or None
    except (AttributeError, ObjectDoesNotExist):
        return None


def is_in_reach(user, record):
    """Return whether a record is of the user's company; superusers reach all of them.

    It may be gone: the history asks with what it knew last. What belongs to a company and does
    not say to which is out of reach.
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
    """Return those of a queryset that are of the user's company."""
    path = getattr(records.model, "company_path", None)
    if user.is_superuser or path is None:
        return records
    lookup = getattr(records.model, "company_lookup", path)
    return records.filter(**{lookup: company_key_of(user) or ""})


class CompanyBackend(ModelBackend):
    """Permissions as Django keeps them, but none for a record of another company.

    The history asks with the record, and takes this exception as a veto: 404, in no list.
    """

    def has_perm(self, user_obj, perm, obj=None):
        """Return whether the user has a permission; refuse for good outside of the company."""
        if obj is not None and not is_in_reach(user_obj, obj):
            raise PermissionDenied
        return super().has_perm(user_obj, perm)
