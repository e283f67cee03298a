from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("evolving", "0002_add")]

    operations = [
        migrations.RenameField("ticket", "name", "title"),
        migrations.RenameField("ticket", "pin", "pin_code"),
    ]
