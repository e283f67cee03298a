from django.db import migrations, models

from django_customer_history.migrations._dependencies import (
    CheckPrivileges,
    JSONTextField,
    PrepareLog,
    time_ordered_uuid,
)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        CheckPrivileges(),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=time_ordered_uuid,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                        verbose_name="entry ID",
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
                            ("view", "view"),
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
                (
                    "subject_id",
                    models.CharField(max_length=255, null=True, verbose_name="subject key"),
                ),
                ("entity_model", models.CharField(max_length=100, verbose_name="entity model")),
                ("entity_id", models.CharField(max_length=255, verbose_name="entity key")),
                (
                    "entity_label",
                    models.CharField(max_length=255, null=True, verbose_name="entity label"),
                ),
                (
                    "changes",
                    JSONTextField(default=dict, verbose_name="changes"),
                ),
                ("user_id", models.CharField(max_length=255, null=True, verbose_name="user key")),
                (
                    "user_label",
                    models.CharField(max_length=255, null=True, verbose_name="user label"),
                ),
                ("source", models.CharField(max_length=32, verbose_name="source")),
                ("ip_address", models.GenericIPAddressField(null=True, verbose_name="IP address")),
                ("request_id", models.UUIDField(null=True, verbose_name="request ID")),
                ("context", models.JSONField(null=True, verbose_name="context")),
                (
                    "primary_id",
                    models.UUIDField(editable=False, null=True, verbose_name="primary entry ID"),
                ),
            ],
            options={
                "verbose_name": "history entry",
                "verbose_name_plural": "history entries",
                "permissions": [
                    ("view_confidential", "Can view every confidential value in the history"),
                    ("export_entry", "Can export the history of everything"),
                    ("undo_entry", "Can undo every change in the history"),
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
                    models.Index(fields=["user_id", "id"], name="customer_history_user"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, verbose_name="ID")),
                ("timestamp", models.DateTimeField(verbose_name="timestamp")),
                ("log_name", models.CharField(max_length=255, verbose_name="log name")),
                ("start", models.BigIntegerField(verbose_name="size before")),
                ("size", models.BigIntegerField(verbose_name="size")),
                ("is_late", models.BooleanField(default=False, verbose_name="late entries")),
                ("first_key", models.UUIDField(verbose_name="first entry ID")),
                ("last_key", models.UUIDField(verbose_name="last entry ID")),
                ("index", models.BinaryField(verbose_name="index")),
                ("edge", models.BinaryField(verbose_name="right edge")),
                ("manifest", models.TextField(verbose_name="manifest")),
                ("checkpoint", models.TextField(verbose_name="checkpoint")),
                ("timestamp_token", models.BinaryField(null=True, verbose_name="timestamp token")),
                ("cosignatures", models.TextField(null=True, verbose_name="cosignatures")),
            ],
            options={
                "verbose_name": "seal",
                "verbose_name_plural": "seals",
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["log_name", "is_late", "first_key"], name="history_seal_keys"
                    ),
                    models.Index(fields=["log_name", "size"], name="history_seal_size"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConfidentialField",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "model",
                    models.CharField(
                        help_text='For example "crm.customer", in lower case.',
                        max_length=100,
                        verbose_name="model",
                    ),
                ),
                (
                    "field",
                    models.CharField(
                        help_text='A field like "ssn", or a key of a JSON field like "udf.color".',
                        max_length=255,
                        verbose_name="field",
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        blank=True,
                        help_text="Shown instead of the field's name.",
                        max_length=100,
                        verbose_name="label",
                    ),
                ),
                (
                    "mask",
                    models.CharField(
                        choices=[
                            ("full", "Hide everything"),
                            ("ssn", "Social security number: show the last four digits"),
                            ("card", "Card number: show the last four digits"),
                            ("account", "Account number: show the last four characters"),
                            ("email", "E-mail address: show the first letter and the domain"),
                        ],
                        default="full",
                        max_length=20,
                        verbose_name="mask",
                    ),
                ),
            ],
            options={
                "verbose_name": "confidential field",
                "verbose_name_plural": "confidential fields",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("model", "field"), name="customer_history_one_mark_a_field"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "owner",
                    models.CharField(
                        db_index=True, editable=False, max_length=255, verbose_name="owner"
                    ),
                ),
                (
                    "subject_model",
                    models.CharField(
                        blank=True, editable=False, max_length=100, verbose_name="subject model"
                    ),
                ),
                (
                    "subject_id",
                    models.CharField(
                        blank=True, editable=False, max_length=255, verbose_name="subject key"
                    ),
                ),
                ("query", models.TextField(blank=True, editable=False, verbose_name="filters")),
                (
                    "delivery",
                    models.CharField(
                        choices=[
                            ("none", "Only saved"),
                            ("email", "E-mail digest"),
                            ("webhook", "Webhook"),
                        ],
                        default="none",
                        max_length=10,
                        verbose_name="delivery",
                    ),
                ),
                (
                    "url",
                    models.CharField(blank=True, max_length=500, verbose_name="URL of the webhook"),
                ),
                ("field", models.CharField(blank=True, max_length=255, verbose_name="field")),
                (
                    "old_condition",
                    models.CharField(
                        blank=True,
                        help_text="“= text”, “> 100” or “< 100”.",
                        max_length=255,
                        verbose_name="condition on the old value",
                    ),
                ),
                (
                    "new_condition",
                    models.CharField(
                        blank=True,
                        help_text="“= text”, “> 100” or “< 100”.",
                        max_length=255,
                        verbose_name="condition on the new value",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True, editable=False, max_length=35, verbose_name="language"
                    ),
                ),
                ("position", models.UUIDField(editable=False, null=True, verbose_name="position")),
                (
                    "problem",
                    models.CharField(
                        blank=True, editable=False, max_length=255, verbose_name="problem"
                    ),
                ),
                (
                    "failures",
                    models.PositiveSmallIntegerField(
                        default=0,
                        editable=False,
                        verbose_name="failed runs one after the other",
                    ),
                ),
                (
                    "is_disabled",
                    models.BooleanField(default=False, editable=False, verbose_name="disabled"),
                ),
            ],
            options={
                "verbose_name": "watch",
                "verbose_name_plural": "watches",
                "default_permissions": ("view", "delete"),
            },
        ),
        PrepareLog(),
    ]
