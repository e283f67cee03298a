import uuid

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import tests.projects.crm.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Legacy",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("text", models.CharField(max_length=40)),
            ],
            options={
                "db_table": "legacy",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="LegacyPart",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("text", models.CharField(max_length=40)),
            ],
            options={
                "db_table": "legacy_part",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Schemed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.CharField(max_length=40)),
            ],
            options={
                "db_table": '"other schema"."schemed"',
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("label", models.CharField(max_length=40)),
                ("ignored", models.CharField(blank=True, max_length=40)),
                ("kept", models.CharField(blank=True, db_column="Kept Column", max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name="Code",
            fields=[
                ("code", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("text", models.CharField(max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active customer"), ("canceled", "Canceled")],
                        default="active",
                        max_length=10,
                    ),
                ),
                ("rate", models.DecimalField(decimal_places=2, default="39.99", max_digits=8)),
                ("ssn", models.CharField(blank=True, max_length=11)),
                ("api_token", models.CharField(max_length=40, null=True)),
                ("portal_password", models.CharField(blank=True, max_length=128)),
                ("search_text", models.TextField(blank=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name="Dealer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("is_archived", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="crm.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Oddity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(db_column="the naïve n'ame", default="odd", max_length=40),
                ),
                ("backwards", tests.projects.crm.models.BackwardsField(default="", max_length=40)),
                (
                    "twice",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            models.F("number"), "*", models.Value(2)
                        ),
                        output_field=models.IntegerField(),
                    ),
                ),
                ("number", models.IntegerField(db_default=7)),
            ],
            options={
                "db_table": "Odd tablé näme",
            },
        ),
        migrations.CreateModel(
            name="Stock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "warehouse",
                        "product",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("warehouse", models.IntegerField()),
                ("product", models.CharField(max_length=40)),
                ("quantity", models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Tag",
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
        migrations.CreateModel(
            name="Wide",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("field_000", models.IntegerField(null=True)),
                ("field_001", models.IntegerField(null=True)),
                ("field_002", models.IntegerField(null=True)),
                ("field_003", models.IntegerField(null=True)),
                ("field_004", models.IntegerField(null=True)),
                ("field_005", models.IntegerField(null=True)),
                ("field_006", models.IntegerField(null=True)),
                ("field_007", models.IntegerField(null=True)),
                ("field_008", models.IntegerField(null=True)),
                ("field_009", models.IntegerField(null=True)),
                ("field_010", models.IntegerField(null=True)),
                ("field_011", models.IntegerField(null=True)),
                ("field_012", models.IntegerField(null=True)),
                ("field_013", models.IntegerField(null=True)),
                ("field_014", models.IntegerField(null=True)),
                ("field_015", models.IntegerField(null=True)),
                ("field_016", models.IntegerField(null=True)),
                ("field_017", models.IntegerField(null=True)),
                ("field_018", models.IntegerField(null=True)),
                ("field_019", models.IntegerField(null=True)),
                ("field_020", models.IntegerField(null=True)),
                ("field_021", models.IntegerField(null=True)),
                ("field_022", models.IntegerField(null=True)),
                ("field_023", models.IntegerField(null=True)),
                ("field_024", models.IntegerField(null=True)),
                ("field_025", models.IntegerField(null=True)),
                ("field_026", models.IntegerField(null=True)),
                ("field_027", models.IntegerField(null=True)),
                ("field_028", models.IntegerField(null=True)),
                ("field_029", models.IntegerField(null=True)),
                ("field_030", models.IntegerField(null=True)),
                ("field_031", models.IntegerField(null=True)),
                ("field_032", models.IntegerField(null=True)),
                ("field_033", models.IntegerField(null=True)),
                ("field_034", models.IntegerField(null=True)),
                ("field_035", models.IntegerField(null=True)),
                ("field_036", models.IntegerField(null=True)),
                ("field_037", models.IntegerField(null=True)),
                ("field_038", models.IntegerField(null=True)),
                ("field_039", models.IntegerField(null=True)),
                ("field_040", models.IntegerField(null=True)),
                ("field_041", models.IntegerField(null=True)),
                ("field_042", models.IntegerField(null=True)),
                ("field_043", models.IntegerField(null=True)),
                ("field_044", models.IntegerField(null=True)),
                ("field_045", models.IntegerField(null=True)),
                ("field_046", models.IntegerField(null=True)),
                ("field_047", models.IntegerField(null=True)),
                ("field_048", models.IntegerField(null=True)),
                ("field_049", models.IntegerField(null=True)),
                ("field_050", models.IntegerField(null=True)),
                ("field_051", models.IntegerField(null=True)),
                ("field_052", models.IntegerField(null=True)),
                ("field_053", models.IntegerField(null=True)),
                ("field_054", models.IntegerField(null=True)),
                ("field_055", models.IntegerField(null=True)),
                ("field_056", models.IntegerField(null=True)),
                ("field_057", models.IntegerField(null=True)),
                ("field_058", models.IntegerField(null=True)),
                ("field_059", models.IntegerField(null=True)),
                ("field_060", models.IntegerField(null=True)),
                ("field_061", models.IntegerField(null=True)),
                ("field_062", models.IntegerField(null=True)),
                ("field_063", models.IntegerField(null=True)),
                ("field_064", models.IntegerField(null=True)),
                ("field_065", models.IntegerField(null=True)),
                ("field_066", models.IntegerField(null=True)),
                ("field_067", models.IntegerField(null=True)),
                ("field_068", models.IntegerField(null=True)),
                ("field_069", models.IntegerField(null=True)),
                ("field_070", models.IntegerField(null=True)),
                ("field_071", models.IntegerField(null=True)),
                ("field_072", models.IntegerField(null=True)),
                ("field_073", models.IntegerField(null=True)),
                ("field_074", models.IntegerField(null=True)),
                ("field_075", models.IntegerField(null=True)),
                ("field_076", models.IntegerField(null=True)),
                ("field_077", models.IntegerField(null=True)),
                ("field_078", models.IntegerField(null=True)),
                ("field_079", models.IntegerField(null=True)),
                ("field_080", models.IntegerField(null=True)),
                ("field_081", models.IntegerField(null=True)),
                ("field_082", models.IntegerField(null=True)),
                ("field_083", models.IntegerField(null=True)),
                ("field_084", models.IntegerField(null=True)),
                ("field_085", models.IntegerField(null=True)),
                ("field_086", models.IntegerField(null=True)),
                ("field_087", models.IntegerField(null=True)),
                ("field_088", models.IntegerField(null=True)),
                ("field_089", models.IntegerField(null=True)),
                ("field_090", models.IntegerField(null=True)),
                ("field_091", models.IntegerField(null=True)),
                ("field_092", models.IntegerField(null=True)),
                ("field_093", models.IntegerField(null=True)),
                ("field_094", models.IntegerField(null=True)),
                ("field_095", models.IntegerField(null=True)),
                ("field_096", models.IntegerField(null=True)),
                ("field_097", models.IntegerField(null=True)),
                ("field_098", models.IntegerField(null=True)),
                ("field_099", models.IntegerField(null=True)),
                ("field_100", models.IntegerField(null=True)),
                ("field_101", models.IntegerField(null=True)),
                ("field_102", models.IntegerField(null=True)),
                ("field_103", models.IntegerField(null=True)),
                ("field_104", models.IntegerField(null=True)),
                ("field_105", models.IntegerField(null=True)),
                ("field_106", models.IntegerField(null=True)),
                ("field_107", models.IntegerField(null=True)),
                ("field_108", models.IntegerField(null=True)),
                ("field_109", models.IntegerField(null=True)),
                ("field_110", models.IntegerField(null=True)),
                ("field_111", models.IntegerField(null=True)),
                ("field_112", models.IntegerField(null=True)),
                ("field_113", models.IntegerField(null=True)),
                ("field_114", models.IntegerField(null=True)),
                ("field_115", models.IntegerField(null=True)),
                ("field_116", models.IntegerField(null=True)),
                ("field_117", models.IntegerField(null=True)),
                ("field_118", models.IntegerField(null=True)),
                ("field_119", models.IntegerField(null=True)),
                ("field_120", models.IntegerField(null=True)),
                ("field_121", models.IntegerField(null=True)),
                ("field_122", models.IntegerField(null=True)),
                ("field_123", models.IntegerField(null=True)),
                ("field_124", models.IntegerField(null=True)),
                ("field_125", models.IntegerField(null=True)),
                ("field_126", models.IntegerField(null=True)),
                ("field_127", models.IntegerField(null=True)),
                ("field_128", models.IntegerField(null=True)),
                ("field_129", models.IntegerField(null=True)),
                ("field_130", models.IntegerField(null=True)),
                ("field_131", models.IntegerField(null=True)),
                ("field_132", models.IntegerField(null=True)),
                ("field_133", models.IntegerField(null=True)),
                ("field_134", models.IntegerField(null=True)),
                ("field_135", models.IntegerField(null=True)),
                ("field_136", models.IntegerField(null=True)),
                ("field_137", models.IntegerField(null=True)),
                ("field_138", models.IntegerField(null=True)),
                ("field_139", models.IntegerField(null=True)),
                ("field_140", models.IntegerField(null=True)),
                ("field_141", models.IntegerField(null=True)),
                ("field_142", models.IntegerField(null=True)),
                ("field_143", models.IntegerField(null=True)),
                ("field_144", models.IntegerField(null=True)),
                ("field_145", models.IntegerField(null=True)),
                ("field_146", models.IntegerField(null=True)),
                ("field_147", models.IntegerField(null=True)),
                ("field_148", models.IntegerField(null=True)),
                ("field_149", models.IntegerField(null=True)),
                ("field_150", models.IntegerField(null=True)),
                ("field_151", models.IntegerField(null=True)),
                ("field_152", models.IntegerField(null=True)),
                ("field_153", models.IntegerField(null=True)),
                ("field_154", models.IntegerField(null=True)),
                ("field_155", models.IntegerField(null=True)),
                ("field_156", models.IntegerField(null=True)),
                ("field_157", models.IntegerField(null=True)),
                ("field_158", models.IntegerField(null=True)),
                ("field_159", models.IntegerField(null=True)),
                ("field_160", models.IntegerField(null=True)),
                ("field_161", models.IntegerField(null=True)),
                ("field_162", models.IntegerField(null=True)),
                ("field_163", models.IntegerField(null=True)),
                ("field_164", models.IntegerField(null=True)),
                ("field_165", models.IntegerField(null=True)),
                ("field_166", models.IntegerField(null=True)),
                ("field_167", models.IntegerField(null=True)),
                ("field_168", models.IntegerField(null=True)),
                ("field_169", models.IntegerField(null=True)),
                ("field_170", models.IntegerField(null=True)),
                ("field_171", models.IntegerField(null=True)),
                ("field_172", models.IntegerField(null=True)),
                ("field_173", models.IntegerField(null=True)),
                ("field_174", models.IntegerField(null=True)),
                ("field_175", models.IntegerField(null=True)),
                ("field_176", models.IntegerField(null=True)),
                ("field_177", models.IntegerField(null=True)),
                ("field_178", models.IntegerField(null=True)),
                ("field_179", models.IntegerField(null=True)),
                ("field_180", models.IntegerField(null=True)),
                ("field_181", models.IntegerField(null=True)),
                ("field_182", models.IntegerField(null=True)),
                ("field_183", models.IntegerField(null=True)),
                ("field_184", models.IntegerField(null=True)),
                ("field_185", models.IntegerField(null=True)),
                ("field_186", models.IntegerField(null=True)),
                ("field_187", models.IntegerField(null=True)),
                ("field_188", models.IntegerField(null=True)),
                ("field_189", models.IntegerField(null=True)),
                ("field_190", models.IntegerField(null=True)),
                ("field_191", models.IntegerField(null=True)),
                ("field_192", models.IntegerField(null=True)),
                ("field_193", models.IntegerField(null=True)),
                ("field_194", models.IntegerField(null=True)),
                ("field_195", models.IntegerField(null=True)),
                ("field_196", models.IntegerField(null=True)),
                ("field_197", models.IntegerField(null=True)),
                ("field_198", models.IntegerField(null=True)),
                ("field_199", models.IntegerField(null=True)),
                ("field_200", models.IntegerField(null=True)),
                ("field_201", models.IntegerField(null=True)),
                ("field_202", models.IntegerField(null=True)),
                ("field_203", models.IntegerField(null=True)),
                ("field_204", models.IntegerField(null=True)),
                ("field_205", models.IntegerField(null=True)),
                ("field_206", models.IntegerField(null=True)),
                ("field_207", models.IntegerField(null=True)),
                ("field_208", models.IntegerField(null=True)),
                ("field_209", models.IntegerField(null=True)),
                ("field_210", models.IntegerField(null=True)),
                ("field_211", models.IntegerField(null=True)),
                ("field_212", models.IntegerField(null=True)),
                ("field_213", models.IntegerField(null=True)),
                ("field_214", models.IntegerField(null=True)),
                ("field_215", models.IntegerField(null=True)),
                ("field_216", models.IntegerField(null=True)),
                ("field_217", models.IntegerField(null=True)),
                ("field_218", models.IntegerField(null=True)),
                ("field_219", models.IntegerField(null=True)),
                ("field_220", models.IntegerField(null=True)),
                ("field_221", models.IntegerField(null=True)),
                ("field_222", models.IntegerField(null=True)),
                ("field_223", models.IntegerField(null=True)),
                ("field_224", models.IntegerField(null=True)),
                ("field_225", models.IntegerField(null=True)),
                ("field_226", models.IntegerField(null=True)),
                ("field_227", models.IntegerField(null=True)),
                ("field_228", models.IntegerField(null=True)),
                ("field_229", models.IntegerField(null=True)),
                ("field_230", models.IntegerField(null=True)),
                ("field_231", models.IntegerField(null=True)),
                ("field_232", models.IntegerField(null=True)),
                ("field_233", models.IntegerField(null=True)),
                ("field_234", models.IntegerField(null=True)),
                ("field_235", models.IntegerField(null=True)),
                ("field_236", models.IntegerField(null=True)),
                ("field_237", models.IntegerField(null=True)),
                ("field_238", models.IntegerField(null=True)),
                ("field_239", models.IntegerField(null=True)),
                ("field_240", models.IntegerField(null=True)),
                ("field_241", models.IntegerField(null=True)),
                ("field_242", models.IntegerField(null=True)),
                ("field_243", models.IntegerField(null=True)),
                ("field_244", models.IntegerField(null=True)),
                ("field_245", models.IntegerField(null=True)),
                ("field_246", models.IntegerField(null=True)),
                ("field_247", models.IntegerField(null=True)),
                ("field_248", models.IntegerField(null=True)),
                ("field_249", models.IntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("object_id", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=100)),
                (
                    "content_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="contenttypes.contenttype"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VipCustomer",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("crm.customer",),
        ),
        migrations.CreateModel(
            name="Contract",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("photo", models.ImageField(blank=True, upload_to="photos")),
                ("scan", models.FileField(blank=True, upload_to="scans")),
                (
                    "dealer",
                    models.ForeignKey(
                        default=tests.projects.crm.models.nobody,
                        on_delete=django.db.models.deletion.SET_DEFAULT,
                        related_name="contracts",
                        to="crm.dealer",
                    ),
                ),
                (
                    "guarantor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="guaranteed",
                        to="crm.dealer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Employee",
            fields=[
                (
                    "person_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="crm.person",
                    ),
                ),
                ("badge", models.CharField(max_length=10)),
            ],
            bases=("crm.person",),
        ),
        migrations.CreateModel(
            name="Guarding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.IntegerField(default=2026)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="crm.customer"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=20)),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="invoices",
                        to="crm.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InvoiceLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("product", models.CharField(max_length=40)),
                ("quantity", models.IntegerField(default=1)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="crm.invoice",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notes",
                        to="crm.customer",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Ownership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("share", models.IntegerField(default=100)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="crm.customer"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Referral",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=40)),
                (
                    "buyer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="crm.customer",
                    ),
                ),
                (
                    "seller",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="crm.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                (
                    "guards",
                    models.ManyToManyField(
                        related_name="sites", through="crm.Guarding", to="crm.customer"
                    ),
                ),
                ("neighbours", models.ManyToManyField(to="crm.site")),
                (
                    "owners",
                    models.ManyToManyField(
                        related_name="+", through="crm.Ownership", to="crm.customer"
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, to="crm.site"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="ownership",
            name="site",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="crm.site"),
        ),
        migrations.AddField(
            model_name="guarding",
            name="site",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="crm.site"),
        ),
        migrations.CreateModel(
            name="Specimen",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("big", models.BigIntegerField(null=True)),
                ("binary", models.BinaryField(null=True)),
                ("boolean", models.BooleanField(null=True)),
                ("char", models.CharField(max_length=200, null=True)),
                ("date", models.DateField(null=True)),
                ("datetime", models.DateTimeField(null=True)),
                ("decimal", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("duration", models.DurationField(null=True)),
                ("email", models.EmailField(max_length=254, null=True)),
                ("float", models.FloatField(null=True)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("json", models.JSONField(null=True)),
                ("small", models.SmallIntegerField(null=True)),
                ("text", models.TextField(null=True)),
                ("time", models.TimeField(null=True)),
                ("url", models.URLField(null=True)),
                ("uuid", models.UUIDField(null=True)),
                ("file_path", models.FilePathField(null=True)),
                ("slug", models.SlugField(null=True)),
                ("positive", models.PositiveIntegerField(null=True)),
                ("positive_big", models.PositiveBigIntegerField(null=True)),
                ("positive_small", models.PositiveSmallIntegerField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, to="crm.account"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="customer",
            name="tags",
            field=models.ManyToManyField(blank=True, to="crm.tag"),
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("status", models.CharField(default="new", max_length=10)),
                ("urgent", models.BooleanField(default=False)),
                ("udf", models.JSONField(null=True)),
                ("note", models.CharField(blank=True, max_length=40)),
                (
                    "assigned_to",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tickets",
                        to="crm.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Shift",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hours", models.IntegerField(default=8)),
                (
                    "employee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="crm.employee"
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            [
                "CREATE TABLE legacy (id integer NOT NULL PRIMARY KEY,"
                " customer_id bigint NOT NULL, text varchar(40) NOT NULL)",
                "CREATE TABLE legacy_part (id integer NOT NULL PRIMARY KEY, legacy_id integer NOT"
                " NULL, text varchar(40) NOT NULL,"
                " FOREIGN KEY (legacy_id) REFERENCES legacy (id) ON DELETE CASCADE)",
            ],
            ["DROP TABLE legacy_part", "DROP TABLE legacy"],
        ),
    ]
