"""Backends for object permissions: what a host may have beside Django's own."""

from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied


class PerObjectBackend(BaseBackend):
    """Grants what stands in `granted`: permission and key of the object."""

    granted = set()

    def has_perm(self, user_obj, perm, obj=None):
        return obj is not None and (perm, obj.pk) in self.granted


class TenantBackend(BaseBackend):
    """Refuses for good all that belongs to another tenant: here, names that start with T."""

    def has_perm(self, user_obj, perm, obj=None):
        if getattr(obj, "name", "").startswith("T"):
            raise PermissionDenied
        return False
