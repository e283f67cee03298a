import importlib

from django.db import migrations

before = importlib.import_module("tests.projects.evolving.migrations.0007_write_before")


def write_between(apps, schema_editor):
    before.write(apps, "between")


class Migration(migrations.Migration):
    dependencies = [("evolving", "0008_add_note")]

    operations = [migrations.RunPython(write_between, migrations.RunPython.noop)]
