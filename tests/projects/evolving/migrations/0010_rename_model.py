from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("evolving", "0009_write_between")]

    operations = [migrations.RenameModel("Call", "Visit")]
