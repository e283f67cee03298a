"""What people call permissions."""

from collections.abc import Iterable
from functools import reduce
from operator import or_

from django.apps import apps
from django.db.models import Q


def names_of_permissions(permissions: Iterable[str]) -> tuple[str, ...]:
    """Return `Permission.name` of permissions such as `crm.change_customer`, in their order.

    It takes one statement. A permission that the database does not have keeps its code.
    """
    codes = tuple(permissions)
    wanted = [
        Q(content_type__app_label=app_label, codename=codename)
        for app_label, _, codename in (code.partition(".") for code in codes)
    ]
    if not wanted:
        return ()
    found = apps.get_model("auth", "Permission")._default_manager.filter(reduce(or_, wanted))
    rows = found.order_by().values_list("content_type__app_label", "codename", "name")
    names = {f"{app_label}.{codename}": name for app_label, codename, name in rows}
    return tuple(names.get(code, code) for code in codes)
