from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("customer_history", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Room",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
            ],
        ),
    ]
