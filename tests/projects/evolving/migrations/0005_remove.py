from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("evolving", "0004_retype")]

    operations = [
        migrations.RemoveField("ticket", "obsolete"),
    ]
