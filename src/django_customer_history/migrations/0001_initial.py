from django.db import connections, migrations, models

import django_customer_history.jsontext
import django_customer_history.keys
from django_customer_history.capture.install import prepare_log, remove_all
from django_customer_history.dialects import SUPPORTED_VENDORS


def prepare(apps, schema_editor):
    """Make keys in the log be compared to the letter, on every database."""
    if schema_editor.connection.vendor in SUPPORTED_VENDORS:
        prepare_log(connections[schema_editor.connection.alias])


def remove_triggers(apps, schema_editor):
    """Going back to zero: no trigger may be left that writes to a log that is gone."""
    remove_all(connections[schema_editor.connection.alias])


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=django_customer_history.keys.time_ordered_uuid,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                        verbose_name="entry",
                    ),
                ),
                ("timestamp", models.DateTimeField(verbose_name="timestamp")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("create", "create"),
                            ("update", "update"),
                            ("delete", "delete"),
                            ("add", "add"),
                            ("remove", "remove"),
                            ("event", "event"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("action", models.CharField(max_length=100, verbose_name="action")),
                (
                    "subject_model",
                    models.CharField(max_length=100, null=True, verbose_name="subject model"),
                ),
                ("subject_id", models.CharField(max_length=255, null=True, verbose_name="subject")),
                ("entity_model", models.CharField(max_length=100, verbose_name="entity model")),
                ("entity_id", models.CharField(max_length=255, verbose_name="entity")),
                (
                    "entity_label",
                    models.CharField(max_length=255, null=True, verbose_name="entity label"),
                ),
                (
                    "changes",
                    django_customer_history.jsontext.JSONTextField(
                        default=dict, verbose_name="changes"
                    ),
                ),
                ("actor_id", models.CharField(max_length=255, null=True, verbose_name="user key")),
                ("actor_label", models.CharField(max_length=255, null=True, verbose_name="user")),
                ("source", models.CharField(max_length=32, verbose_name="source")),
                ("ip_address", models.GenericIPAddressField(null=True, verbose_name="IP address")),
                ("request_id", models.UUIDField(null=True, verbose_name="request")),
                ("context", models.JSONField(null=True, verbose_name="context")),
            ],
            options={
                "verbose_name": "history entry",
                "verbose_name_plural": "history entries",
                "permissions": [
                    ("view_confidential", "Can view every confidential value in the history")
                ],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["subject_model", "subject_id", "id"],
                        name="customer_history_subject",
                    ),
                    models.Index(
                        fields=["entity_model", "entity_id", "id"], name="customer_history_entity"
                    ),
                    models.Index(fields=["actor_id", "id"], name="customer_history_actor"),
                ],
            },
        ),
        migrations.RunPython(prepare, remove_triggers),
    ]
