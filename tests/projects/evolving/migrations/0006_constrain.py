from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evolving", "0005_remove")]

    operations = [
        migrations.AddConstraint(
            "ticket",
            models.UniqueConstraint(fields=["customer", "title"], name="evolving_one_title"),
        ),
    ]
