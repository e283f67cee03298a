"""Backends for object permissions, as a project may use them with Django's own backend."""

from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied


class PerObjectBackend(BaseBackend):
    """Grants what `granted` contains: pairs of a permission and the key of an object."""

    granted = set()

    def has_perm(self, user_obj, perm, obj=None):
        return obj is not None and (perm, obj.pk) in self.granted


class TenantBackend(BaseBackend):
    """Denies access to records of another tenant: here, names that start with T."""

    def has_perm(self, user_obj, perm, obj=None):
        if getattr(obj, "name", "").startswith("T"):
            raise PermissionDenied
        return False
