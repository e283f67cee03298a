from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customer_history", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="entry",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("view_confidential", "Can view every confidential value in the history"),
                    ("export_entry", "Can export the history of everything"),
                ],
                "verbose_name": "history entry",
                "verbose_name_plural": "history entries",
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
                        help_text='Such as "crm.customer", in lower case.',
                        max_length=100,
                        verbose_name="model",
                    ),
                ),
                (
                    "field",
                    models.CharField(
                        help_text=(
                            'A field, such as "ssn", or a key of a JSON field,'
                            ' such as "udf.colour".'
                        ),
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
                            ("full", "Everything is hidden"),
                            ("ssn", "Social security number: the last four show"),
                            ("card", "Card: the last four digits show"),
                            ("account", "Account: the last four characters show"),
                            ("email", "E-mail: first letter and domain show"),
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
    ]
