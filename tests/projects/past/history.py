"""A model of somebody else's, whose snapshots have their table among the migrations of this app."""

from django.contrib.auth.models import Group

from django_customer_history import history

history.register(Group, label="name", snapshots="past")
