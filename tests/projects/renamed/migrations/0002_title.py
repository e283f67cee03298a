from django.db import migrations


def rename_rooms(apps, schema_editor):
    apps.get_model("renamed", "Room").objects.update(title="Hall")


class Migration(migrations.Migration):
    dependencies = [("renamed", "0001_initial")]

    operations = [
        migrations.RenameField("room", "name", "title"),
        migrations.RunPython(rename_rooms, migrations.RunPython.noop),
    ]
