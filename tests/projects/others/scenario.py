"""What the tests of other packages run in a process of its own: `scenario NAME`, JSON is printed.

Each scenario is a function that returns what the test compares.
"""

import json
import re
import sys
from io import StringIO
from pathlib import Path

import django

django.setup()

from django.apps import apps as installed  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.staticfiles import finders  # noqa: E402
from django.core import checks  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django_test_migrations.migrator import Migrator  # noqa: E402

from django_customer_history import history  # noqa: E402
from django_customer_history.capture.triggers import compare_triggers  # noqa: E402
from django_customer_history.models import Entry  # noqa: E402
from tests.projects.others import models  # noqa: E402


def found_by_checks():
    own = (one for one in checks.run_checks() if (one.id or "").startswith("customer_history."))
    return [[one.id, one.msg, one.hint] for one in own]


def entries(record):
    """Return kind, entity and changes of the entries on a record's tab, oldest first."""
    found = reversed(history.entries_for(record))
    return [[one.kind, one.entity_model, one.changes] for one in found]


def administrator():
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("ann", password="pw"))
    return client


def taggit():
    article = models.Article.objects.create(title="Lamps")
    article.tags.add("quartz", "zircon")
    article.tags.remove("zircon")
    page = administrator().get(f"/history/others.article/{article.pk}/").content.decode()
    return {
        "checks": found_by_checks(),
        "entries": [one[:2] for one in entries(article)],
        "tags": [one[2].get("tag") for one in entries(article)[1:]],
        "keys": {tag.name: str(tag.pk) for tag in models.Tag.objects.all()},
        "shown": [name in page for name in ("quartz", "zircon")],
    }


def polymorphic():
    acme = models.Customer.objects.create(name="Acme")
    fleet = models.Fleet.objects.create(customer=acme, number="F1", rent="10.00", cars=3)
    contract = models.Contract.objects.get()
    contract.number, contract.cars = "F2", 4
    contract.save()
    models.Contract.objects.all().update(number="F3")
    state = history.as_of(fleet, Entry.objects.newest_first()[0].timestamp)
    models.Contract.objects.all().delete()
    return {
        "class": type(contract).__name__,
        "entries": entries(acme),
        "state": {name: str(value) for name, value in state.items()},
    }


def encrypted():
    patient = models.Patient.objects.create(
        name="Ann", notes="well", allergies="nuts", diagnosis="flu"
    )
    ((_kind, _model, changes),) = entries(patient)
    clear = [text for text in ("well", "nuts", "flu") if text in json.dumps(changes)]
    return {"checks": found_by_checks(), "logged": sorted(changes), "clear": clear}


def ninja():
    acme = models.Customer.objects.create(name="Acme")
    get_user_model().objects.create_user("bob")
    client = Client(headers={"authorization": "Bearer bob"})
    status = client.post(f"/api/customers/{acme.pk}/Beta/").status_code
    last = history.entries_for(acme)[0]
    return {"status": status, "changes": last.changes, "user": last.user_label}


def test_migrations():
    migrator = Migrator()
    apps = migrator.apply_initial_migration(("renamed", "0001_initial")).apps
    apps.get_model("renamed", "Room").objects.create(name="Cellar")
    apps = migrator.apply_tested_migration(("renamed", "0002_title")).apps
    apps.get_model("renamed", "Room").objects.all().delete()
    found = Entry.objects.filter(entity_model="renamed.room").order_by("id")
    seen = [[one.kind, one.changes] for one in found]
    migrator.reset()
    installed.get_model("renamed", "Room").objects.create(title="Cellar")
    after = list(Entry.objects.order_by("id").values_list("entity_model", flat=True))
    return {"entries": seen, "last": after[-1], "problems": compare_triggers(connection).problems()}


def caching():
    acme = models.Customer.objects.create(name="Acme")
    read = [history.entries_for(acme).count()]
    for name in ("Beta", "Gamma"):
        models.Customer.objects.filter(pk=acme.pk).update(name=name)
        read.append(len(history.entries_for(acme)))
    return {"checks": found_by_checks(), "read": read}


def theme():
    acme = models.Customer.objects.create(name="Acme")
    client = administrator()
    models.Customer.objects.filter(pk=acme.pk).update(name="Acme Inc.")
    pages = {
        "history": f"/admin/others/customer/{acme.pk}/history/",
        "log": "/admin/customer_history/entry/",
        "marks": "/admin/customer_history/confidentialfield/",
        "change": f"/admin/others/customer/{acme.pk}/change/",
    }
    seen = {name: client.get(path) for name, path in pages.items()}
    return {
        "statuses": {name: response.status_code for name, response in seen.items()},
        "shows": {name: "Acme" in response.content.decode() for name, response in seen.items()},
        "page": LINK.sub(_sheet, seen["history"].content.decode()),
    }


def _sheet(link):
    path = finders.find(link["path"])
    return f"<style>{Path(path).read_text(encoding='utf-8')}</style>" if path else ""


LINK = re.compile(r"""<link[^>]*href="/static/(?P<path>[^"?]+\.css)[^>]*>""")
SCENARIOS = {
    one.__name__: one
    for one in (taggit, polymorphic, encrypted, ninja, test_migrations, caching, theme)
}


def main(names):
    # Tables without migrations have keys to the content types.
    call_command("migrate", verbosity=0, stdout=StringIO())
    call_command("migrate", run_syncdb=True, verbosity=0, stdout=StringIO())
    json.dump({name: SCENARIOS[name]() for name in names}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
