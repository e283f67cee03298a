from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evolving", "0001_initial")]

    operations = [
        migrations.AddField("ticket", "remark", models.TextField(null=True)),
        migrations.AddField("ticket", "urgent", models.BooleanField(default=False)),
    ]
