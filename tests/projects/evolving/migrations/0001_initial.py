from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("crm", "0001_initial"), ("customer_history", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey("crm.Customer", models.CASCADE, related_name="+"),
                ),
                ("name", models.CharField(max_length=50)),
                ("priority", models.CharField(max_length=10, default="0")),
                ("obsolete", models.CharField(max_length=10, default="")),
                ("pin", models.CharField(max_length=10, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Reply",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey("evolving.Ticket", models.CASCADE, related_name="+"),
                ),
                ("text", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="Call",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey("crm.Customer", models.CASCADE, related_name="+"),
                ),
                ("text", models.CharField(max_length=50)),
            ],
        ),
        migrations.CreateModel(
            name="VisitItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "visit",
                    models.ForeignKey("evolving.Call", models.CASCADE, related_name="+"),
                ),
            ],
        ),
    ]
