"""The models of the tests: a small CRM with every shape of model that capture supports."""

import uuid

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from django_customer_history import (
    history,
    masks,
)
from django_customer_history.models import AuditedModel


@history.register()
class Tag(models.Model):
    name = models.CharField(max_length=40)

    def __str__(self):
        return self.name


@history.register(
    subject="self",
    label="name",
    exclude="search_text",
    confidential={"ssn": masks.SSN},
    secret="api_token",
)
class Customer(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active", "Active customer"
        CANCELED = "canceled", "Canceled"

    name = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    rate = models.DecimalField(max_digits=8, decimal_places=2, default="39.99")
    ssn = models.CharField(max_length=11, blank=True)
    api_token = models.CharField(max_length=40, null=True)
    portal_password = models.CharField(max_length=128, blank=True)
    search_text = models.TextField(blank=True)
    tags = models.ManyToManyField(Tag, blank=True)
    files = GenericRelation("Attachment")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.name


class Note(AuditedModel):
    class History:
        subject = "customer"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes")
    text = models.TextField()


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.SET_NULL, null=True, related_name="invoices")
    number = models.CharField(max_length=20)


class InvoiceLine(models.Model):
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    product = models.CharField(max_length=40)
    quantity = models.IntegerField(default=1)


@history.register(subject="content_object")
class Attachment(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=40)
    content_object = GenericForeignKey()
    name = models.CharField(max_length=100)


@history.register(subject=("seller", "buyer"))
class Referral(models.Model):
    """A row with two subjects."""

    seller = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    buyer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="+")
    note = models.CharField(max_length=40, blank=True)


@history.register(subject="self", only=["label", "kept"])
class Account(models.Model):
    """A subject model whose key is not a number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    label = models.CharField(max_length=40)
    ignored = models.CharField(max_length=40, blank=True)
    kept = models.CharField(max_length=40, blank=True, db_column="Kept Column")


@history.register(subject="account")
class Specimen(models.Model):
    """One field of each built-in type, all nullable."""

    account = models.ForeignKey(Account, models.CASCADE, null=True)
    big = models.BigIntegerField(null=True)
    binary = models.BinaryField(null=True)
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=200, null=True)
    date = models.DateField(null=True)
    datetime = models.DateTimeField(null=True)
    decimal = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    duration = models.DurationField(null=True)
    email = models.EmailField(null=True)
    float = models.FloatField(null=True)
    ip = models.GenericIPAddressField(null=True)
    json = models.JSONField(null=True)
    small = models.SmallIntegerField(null=True)
    text = models.TextField(null=True)
    time = models.TimeField(null=True)
    url = models.URLField(null=True)
    uuid = models.UUIDField(null=True)
    file_path = models.FilePathField(null=True)
    slug = models.SlugField(null=True)
    positive = models.PositiveIntegerField(null=True)
    positive_big = models.PositiveBigIntegerField(null=True)
    positive_small = models.PositiveSmallIntegerField(null=True)


@history.register(
    subject="customer",
    events={
        "status": {"closed": "Ticket Closed", "open": "Ticket Reopened"},
        "urgent": {True: "Ticket Escalated"},
        "assigned_to": "Ticket Reassigned",
        "create": "Ticket Created",
        "delete": "Ticket Discarded",
    },
    json_keys="udf",
    key_labels={"udf": lambda reader: {"code_word": f"Alarm code word of {reader}"}},
    display={"udf.fee": "${:,.2f}".format},
)
class Ticket(models.Model):
    """A model whose changes have names, and with user-defined fields."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="tickets")
    status = models.CharField(max_length=10, default="new")
    urgent = models.BooleanField(default=False)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    udf = models.JSONField(null=True)
    note = models.CharField(max_length=40, blank=True)

    def get_absolute_url(self):
        return f"/tickets/{self.pk}/"


@history.register(subject="self", label="text")
class Code(models.Model):
    """A key that people choose and can change."""

    code = models.CharField(max_length=20, primary_key=True)
    text = models.CharField(max_length=40)


@history.register()
class Stock(models.Model):
    """A composite key."""

    pk = models.CompositePrimaryKey("warehouse", "product")
    warehouse = models.IntegerField()
    product = models.CharField(max_length=40)
    quantity = models.IntegerField(default=0)


@history.register(subject="self", label="name")
class Site(models.Model):
    """Links to itself, and links through a model."""

    name = models.CharField(max_length=40)
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    neighbours = models.ManyToManyField("self")
    guards = models.ManyToManyField(Customer, through="Guarding", related_name="sites")
    owners = models.ManyToManyField(Customer, through="Ownership", related_name="+")


class Guarding(models.Model):
    """A through model that is not registered: its rows are links."""

    site = models.ForeignKey(Site, models.CASCADE)
    customer = models.ForeignKey(Customer, models.CASCADE)
    since = models.IntegerField(default=2026)


@history.register(subject="site")
class Ownership(models.Model):
    """A through model that is registered: its rows have entries of their own."""

    site = models.ForeignKey(Site, models.CASCADE)
    customer = models.ForeignKey(Customer, models.CASCADE)
    share = models.IntegerField(default=100)


class BackwardsField(models.CharField):
    """A field whose stored value differs from its Python value."""

    def from_db_value(self, value, expression, connection):
        return None if value is None else value[::-1]

    def get_prep_value(self, value):
        return None if value is None else value[::-1]


@history.register(subject="self", label="name")
class Oddity(models.Model):
    """Names that need quoting, fields that the database fills, a custom field."""

    name = models.CharField(max_length=40, db_column="the naïve n'ame", default="odd")
    backwards = BackwardsField(max_length=40, default="")
    twice = models.GeneratedField(
        expression=models.F("number") * 2, output_field=models.IntegerField(), db_persist=True
    )
    number = models.IntegerField(db_default=7)

    class Meta:
        db_table = "Odd tablé näme"


@history.register(subject="customer", reason_required=True, display={"amount": "${:,.2f}".format})
class Claim(models.Model):
    """A row that can only be written with a reason."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="claims")
    amount = models.DecimalField(max_digits=8, decimal_places=2)
    paid_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    touched = models.DateTimeField(auto_now=True)
    tags = models.ManyToManyField(Tag)


@history.register(
    subject="customer",
    secret="code",
    json_keys="terms",
    reason_required=["limit", "code", "terms", "tags", "delete"],
)
class Credit(models.Model):
    """A row with fields that can only be changed with a reason."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="credits")
    limit = models.IntegerField(default=0, db_column="the limit")
    code = models.CharField(max_length=20, blank=True)
    terms = models.JSONField(null=True)
    note = models.CharField(max_length=40, blank=True)
    tags = models.ManyToManyField(Tag)
    friends = models.ManyToManyField(Customer, related_name="+")


@history.register(subject="customer", secret=["code", "answers"], json_keys="answers")
class Pass(models.Model):
    """A row with secret user-defined fields, whose secret key other rows refer to."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="passes")
    code = models.CharField(max_length=20, unique=True)
    answers = models.JSONField(null=True)


@history.register(subject="held__customer", label="gate")
class Entrance(models.Model):
    """A row whose foreign key has the secret value of the other table."""

    held = models.ForeignKey(Pass, models.CASCADE, to_field="code", related_name="+")
    gate = models.CharField(max_length=20)


class VipCustomer(Customer):
    """A proxy."""

    class Meta:
        proxy = True


Wide = type(
    "Wide",
    (models.Model,),
    {
        "__module__": __name__,
        "__qualname__": "Wide",
        **{f"field_{number:03}": models.IntegerField(null=True) for number in range(250)},
    },
)
history.register(Wide)


@history.register(subject="customer")
class Legacy(models.Model):
    """A table that Django does not manage, with a cascade in the database."""

    id = models.IntegerField(primary_key=True)
    customer = models.ForeignKey(Customer, models.DO_NOTHING, db_constraint=False)
    text = models.CharField(max_length=40)

    class Meta:
        managed = False
        db_table = "legacy"


@history.register(subject="legacy__customer")
class LegacyPart(models.Model):
    """A row that the database deletes together with its parent."""

    id = models.IntegerField(primary_key=True)
    legacy = models.ForeignKey(Legacy, models.DO_NOTHING)
    text = models.CharField(max_length=40)

    class Meta:
        managed = False
        db_table = "legacy_part"


class Person(models.Model):
    """A parent that is not registered."""

    name = models.CharField(max_length=40)
    customer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="+")


@history.register(subject="customer", label=("name", "badge"))
class Employee(Person):
    """A child in a table of its own."""

    badge = models.CharField(max_length=10)


@history.register(subject="customer", reason_required="name")
class Temp(Person):
    """A child whose parent has a field that can only be changed with a reason."""

    agency = models.CharField(max_length=40)


@history.register(subject="employee__customer")
class Shift(models.Model):
    """A row whose path to the subject leads through the parent of a model."""

    employee = models.ForeignKey(Employee, models.CASCADE)
    hours = models.IntegerField(default=8)


class PresentManager(models.Manager):
    """Hide archived rows."""

    def get_queryset(self):
        return super().get_queryset().filter(is_archived=False)


@history.register(subject="self", label="name")
class Dealer(models.Model):
    """A model whose rows are archived, not deleted, and one that others point to."""

    name = models.CharField(max_length=40)
    is_archived = models.BooleanField(default=False)

    objects = PresentManager()


def nobody():
    return Dealer._base_manager.get_or_create(name="nobody")[0].pk


@history.register(subject="dealer")
class Contract(models.Model):
    """A row that gets another dealer when its own is deleted, and one that protects its dealer."""

    dealer = models.ForeignKey(Dealer, models.SET_DEFAULT, default=nobody, related_name="contracts")
    guarantor = models.ForeignKey(Dealer, models.PROTECT, null=True, related_name="guaranteed")
    scan = models.FileField(upload_to="scans", blank=True)
    photo = models.ImageField(upload_to="photos", blank=True)


@history.register()
class Schemed(models.Model):
    """A table in another schema of PostgreSQL. Its test creates it."""

    text = models.CharField(max_length=40)

    class Meta:
        managed = False
        db_table = '"other schema"."schemed"'
