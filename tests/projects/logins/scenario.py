"""What `test_logins` runs in a process of its own. It prints the entries as JSON."""

import json
import os
import re
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.projects.logins.settings"
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core import mail  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from django_customer_history.models import Entry  # noqa: E402


def entries():
    """Return action, name and user of the events since the last call."""
    found = Entry.objects.filter(kind="event").exclude(entity_model="customer_history.registration")
    rows = [(one.action, one.entity_label, one.user_label) for one in found.order_by("id")]
    new = rows[entries.seen :]
    entries.seen = len(rows)
    return new


entries.seen = 0


def log_in(client, password):
    client.post("/accounts/login/", {"login": "ann", "password": password})


def reset(client):
    client.post("/accounts/password/reset/", {"email": "ann@example.com"})
    link = re.search(r"/accounts/password/reset/key/[^\s]+/", mail.outbox[-1].body)[0]
    form = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(form, {"password1": "n3w-Secret!", "password2": "n3w-Secret!"})


def main():
    setup_test_environment()
    call_command("migrate", verbosity=0)
    User.objects.create_user("ann", "ann@example.com", "pw")
    seen = {}
    client = Client()
    log_in(client, "pw")
    client.post("/accounts/logout/")
    seen["session"] = entries()
    reset(Client())
    seen["reset"] = entries()
    for _ in range(3):
        log_in(Client(), "wrong")
    seen["failures"] = entries()
    sys.stdout.write(json.dumps(seen))


main()
