"""Fixtures of the tests of reading: a reader, a stranger, and what they are granted."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client


def grant(user, *codenames):
    """Give a user permissions, and forget those that were looked up before."""
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    for cache in ("_perm_cache", "_user_perm_cache", "_group_perm_cache"):
        user.__dict__.pop(cache, None)


@pytest.fixture
def reader(user):
    """A client of a user who may read and export the history of customers."""
    grant(user, "view_customer_history", "export_customer_history")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def stranger(django_user_model):
    """A client of a user without any permission."""
    client = Client()
    client.force_login(django_user_model.objects.create_user("eve"))
    return client
