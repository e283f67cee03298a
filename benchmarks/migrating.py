"""`python -m benchmarks.migrating`: what this package adds to `migrate` with nothing to do.

A project with `--models` models is made in a temporary folder, once with all of them registered and
once without this package, each with a database of its own on the server of `DATABASE_URL`. Then
`manage.py migrate` runs in turns, a process each time. On SQLite, whose tables are copied to change
a column, `AlterField` of one model is measured too. The program ends with status 1 if this package
adds more than `--most` seconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent

SETTINGS = """
import os
import dj_database_url
import pymysql

pymysql.install_as_MySQLdb()
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
NAME = os.environ["PROJECT"]
DATABASES["default"]["TEST"] = {"NAME": f"benchmark_{NAME}"}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(os.path.dirname(__file__), NAME)}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "shop"]
if NAME == "with":
    INSTALLED_APPS.append("django_customer_history")
SECRET_KEY = "of the benchmark only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""

MODELS = """
from django.conf import settings
from django.db import models

if "django_customer_history" in settings.INSTALLED_APPS:
    from django_customer_history.history import register
else:
    def register(**options):
        return lambda model: model


@register(subject="self", label="name")
class Customer(models.Model):
    name = models.CharField(max_length=80)
"""

MODEL = """

@register(subject="customer", label="name")
class Item{number}(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    name = models.CharField(max_length=80)
    remark = models.TextField(blank=True)
    rate = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    amount = models.IntegerField(default=0)
    is_open = models.BooleanField(default=True)
    due = models.DateField(null=True)
    changed_at = models.DateTimeField(auto_now=True)
    data = models.JSONField(default=dict)
"""

WORK = """
import json
import sys
import time

import django
django.setup()

from django.core.management import call_command
from django.db import connection, models
from benchmarks.meters import Clock

name = connection.creation._get_test_db_name()


def alter():
    from shop.models import Item1 as model

    with connection.schema_editor() as editor:
        new = models.CharField(max_length=90)
        new.set_attributes_from_name("name")
        new.model = model
        editor.alter_field(model, model._meta.get_field("name"), new)


if sys.argv[1] == "makemigrations":
    call_command("makemigrations", "shop", verbosity=0)
elif sys.argv[1] == "create":
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
elif sys.argv[1] == "destroy":
    connection.settings_dict["NAME"] = name
    connection.creation._destroy_test_db(name, verbosity=0)
else:
    own = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name
    clock = Clock(connection)
    before = clock._server_time()
    start, began = time.perf_counter(), time.process_time()
    if sys.argv[1] == "migrate":
        call_command("migrate", verbosity=0, skip_checks=False)
    else:
        alter()
    print(json.dumps({
        "command": time.perf_counter() - start,
        "processor": time.process_time() + clock._server_time() - before,
    }))
"""


def make_project(folder, count):
    """Write a project with models into a folder."""
    (folder / "settings.py").write_text(SETTINGS)
    (folder / "work.py").write_text(WORK)
    migrations = folder / "shop" / "migrations"
    migrations.mkdir(parents=True)
    (folder / "shop" / "__init__.py").touch()
    (migrations / "__init__.py").touch()
    models = MODELS + "".join(MODEL.format(number=number) for number in range(1, count))
    (folder / "shop" / "models.py").write_text(models)


def run(folder, project, work):
    """Run a piece of work in a process of its own; return its figures in seconds."""
    path = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "src")])
    environment = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "settings", "PROJECT": project}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(folder / "work.py"), work],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    wall = time.perf_counter() - start
    return {"wall": wall, **json.loads(done.stdout)} if done.stdout else {"wall": wall}


def measure(folder, work, rounds):
    """Print the medians with and without this package, and what it adds; return the last."""
    taken = {"with": [], "without": []}
    for number in range(rounds):
        for project in ("with", "without") if number % 2 else ("without", "with"):
            taken[project].append(run(folder, project, work))
    medians = {
        project: {name: statistics.median(one[name] for one in several) for name in several[0]}
        for project, several in taken.items()
    }
    print(f"| {work}, seconds | without | with | added |\n|---|---|---|---|")
    for name, without in medians["without"].items():
        own = medians["with"][name]
        print(f"| {name} | {without:.2f} | {own:.2f} | {own - without:.2f} |", flush=True)
    return medians["with"]["wall"] - medians["without"]["wall"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, help="Seconds that this package may add.")
    options = parser.parse_args()
    url = os.environ.setdefault("DATABASE_URL", "sqlite:///benchmark.sqlite3")
    print(f"{url.partition(':')[0]}, {options.models} models")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder, options.models)
        run(folder, "without", "makemigrations")
        try:
            for project in ("without", "with"):
                seconds = run(folder, project, "create")["wall"]
                print(f"first migrate, {project} this package: {seconds:.1f} s", flush=True)
            added = measure(folder, "migrate", options.rounds)
            if url.startswith("sqlite"):
                measure(folder, "alter", options.rounds)
        finally:
            for project in ("without", "with"):
                run(folder, project, "destroy")
    if options.most and added > options.most:
        sys.exit(f"This package adds {added:.2f} s.")


if __name__ == "__main__":
    main()
