"""A project with its own user model."""

import os
import subprocess
import sys

PROJECT = """
import sys, types
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "staff",
        "django_customer_history",
    ],
    MIDDLEWARE=["django_customer_history.middleware.HistoryMiddleware"],
    AUTH_USER_MODEL="staff.Colleague",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
import django

django.setup()
from django.core.management import call_command
from staff.models import Colleague

from django_customer_history import history
from django_customer_history.models import Entry

call_command("migrate", run_syncdb=True, verbosity=0)
ann = Colleague.objects.create_user("ann@example.com", password="a secret")
with history.acting(user=ann):
    Colleague.objects.update(nickname="Annie")
for entry in Entry.objects.exclude(kind="event").order_by("id"):
    print(entry.kind, entry.user_label, entry.entity_model, entry.changes)
"""

MODELS = """
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from django_customer_history import history


class Colleagues(BaseUserManager):
    def create_user(self, email, password):
        user = self.model(email=email)
        user.set_password(password)
        user.save()
        return user


@history.register(label="nickname", only=["email", "nickname", "password"])
class Colleague(AbstractBaseUser):
    email = models.EmailField(unique=True)
    nickname = models.CharField(max_length=40, blank=True)

    USERNAME_FIELD = "email"
    objects = Colleagues()
"""


class TestSwappedUser:
    def test_user_model_of_the_project(self, tmp_path):
        app = tmp_path / "staff"
        app.mkdir()
        (app / "__init__.py").touch()
        (app / "models.py").write_text(MODELS)
        finished = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROJECT],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.stderr == ""
        assert finished.stdout.splitlines() == [
            "create None staff.colleague"
            " {'password': [None, None], 'email': [None, 'ann@example.com'],"
            " 'nickname': [None, '']}",
            "update ann@example.com staff.colleague {'nickname': ['', 'Annie']}",
        ]
