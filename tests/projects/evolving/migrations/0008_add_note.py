from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evolving", "0007_write_before")]

    operations = [
        migrations.AddField("call", "note", models.CharField(max_length=50, default="")),
    ]
