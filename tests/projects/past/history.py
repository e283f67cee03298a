"""A third-party model. The table of its snapshots is in the migrations of this app."""

from django.contrib.auth.models import Group

from django_customer_history import history

history.register(Group, label="name", snapshots="past")
