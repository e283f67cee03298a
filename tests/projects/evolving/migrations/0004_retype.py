from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evolving", "0003_rename")]

    operations = [
        migrations.AlterField("ticket", "title", models.CharField(max_length=200, db_index=True)),
        migrations.AlterField("ticket", "priority", models.IntegerField(default=0)),
    ]
