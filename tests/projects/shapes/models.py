"""Models of every shape of inheritance, of key and of link, each with the same few fields."""

import uuid
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Upper

from django_customer_history import history, masks

USUAL: dict[str, Any] = {"subject": "client", "label": "name", "json_keys": "udf"}


@history.register(subject="self", label="name")
class Client(models.Model):
    """The subject of most shapes."""

    name = models.CharField(max_length=40)


class ClientProxy(Client):
    """A proxy, to which foreign keys lead."""

    class Meta:
        proxy = True


class Mark(models.Model):
    """What many-to-many fields lead to. It is not registered."""

    code = models.CharField(max_length=10, unique=True)


class Described(models.Model):
    """An abstract model with a foreign key, a JSON field and links."""

    name = models.CharField(max_length=40)
    udf = models.JSONField(null=True)
    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+")
    marks = models.ManyToManyField(Mark, related_name="+")

    class Meta:
        abstract = True


history.register(Described, **USUAL)


class Plain(Described):
    """Registered by its abstract parent."""


class PlainProxy(Plain):
    class Meta:
        proxy = True


class Root(models.Model):
    """A parent in a table of its own, that is not registered."""

    name = models.CharField(max_length=40)
    udf = models.JSONField(null=True)
    client = models.ForeignKey(ClientProxy, models.CASCADE, null=True, related_name="+")
    marks = models.ManyToManyField(Mark, related_name="+")
    friends = models.ManyToManyField("self", symmetrical=False, related_name="+")


@history.register(**USUAL)
class Leaf(Root):
    code = models.CharField(max_length=10, default="c")


class LeafProxy(Leaf):
    class Meta:
        proxy = True


@history.register(**USUAL)
class Twig(LeafProxy):
    """A child of a proxy, and so two levels below its root."""

    height = models.IntegerField(default=1)


@history.register(**USUAL)
class Linked(Root):
    """A key of its own beside the link to the parent."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    origin = models.OneToOneField(
        Root, models.CASCADE, parent_link=True, related_name="+", db_column="the origin"
    )
    code = models.CharField(max_length=10, default="c")


@history.register(**USUAL)
class BelowLinked(Linked):
    """A child whose parent has another key than its own parent."""

    depth = models.IntegerField(default=1)


class ByOrigin(models.Model):
    """An abstract model with the link to a parent in another table."""

    origin = models.OneToOneField(Root, models.CASCADE, parent_link=True, related_name="+")

    class Meta:
        abstract = True


@history.register(**USUAL)
class Lot(ByOrigin, Root):
    """The link to its parent comes from an abstract model."""

    code = models.CharField(max_length=10, default="c")


class Left(models.Model):
    left_id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=40)


class Right(models.Model):
    right_id = models.AutoField(primary_key=True)
    udf = models.JSONField(null=True)
    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+")
    marks = models.ManyToManyField(Mark, related_name="+")


@history.register(**USUAL)
class Both(Left, Right):
    """A child of two parents with different keys."""

    code = models.CharField(max_length=10, default="c")


@history.register(**USUAL)
class Party(Described):
    """A registered parent."""


@history.register(**USUAL)
class Firm(Party):
    """A child of a registered parent, with a column named like one of the parent."""

    alias = models.CharField(max_length=40, default="a", db_column="name")


@history.register(**USUAL)
class Odd(Described):
    """Names that need quoting, or are as long as a name can be."""

    select = models.IntegerField(default=1, db_column="select")
    curly = models.CharField(max_length=9, default="{0}", db_column="{name} it's ünï")
    long = models.IntegerField(default=2, db_column="l" * 60)

    class Meta:
        # Without an apostrophe: Django's flush does not quote it on SQLite.
        db_table = "shapes {odd} it-s " + "x" * 40


@history.register(subject="client", label="name", json_keys="udf")
class Pair(models.Model):
    """A composite key."""

    pk = models.CompositePrimaryKey("shelf", "number")
    shelf = models.CharField(max_length=10)
    number = models.IntegerField()
    name = models.CharField(max_length=40)
    udf = models.JSONField(null=True)
    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+")


@history.register(subject="self", label="name")
class Volume(models.Model):
    """A subject with a composite key, to which rows refer by another column."""

    pk = models.CompositePrimaryKey("shelf", "number")
    shelf = models.CharField(max_length=10)
    number = models.IntegerField()
    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=40)


@history.register(subject="volume", label=("volume__name", "number"))
class Chapter(models.Model):
    """A row whose subject has a composite key."""

    volume = models.ForeignKey(Volume, models.CASCADE, to_field="code", null=True)
    number = models.IntegerField()


@history.register(subject="target", label="name", json_keys="udf")
class Remark(models.Model):
    """A row whose subject is found by a generic foreign key."""

    name = models.CharField(max_length=40)
    udf = models.JSONField(null=True)
    # Without migrations, these tables are created before that of content types.
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True, db_constraint=False)
    object_id = models.CharField(max_length=40, null=True)
    target = GenericForeignKey()
    marks = models.ManyToManyField(Mark, related_name="+")


@history.register(subject="target", label="name", json_keys="udf")
class Call(Remark):
    """An inherited generic foreign key."""

    minutes = models.IntegerField(default=1)


@history.register(subject="call__target", label="call")
class CallNote(models.Model):
    """A path that ends with an inherited generic foreign key, and a label of the other row."""

    call = models.ForeignKey(Call, models.CASCADE)


@history.register(subject="leaf__client", label=("leaf__name", "name"))
class Bud(models.Model):
    """A path over a foreign key that another model inherits."""

    leaf = models.ForeignKey(LeafProxy, models.CASCADE)
    name = models.CharField(max_length=40)


@history.register(subject="client", label="name")
class Group(models.Model):
    """Links over models of the project's own, with foreign keys to other columns than the key."""

    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=40)
    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+")
    members = models.ManyToManyField(Mark, through="Membership", related_name="+")
    givers = models.ManyToManyField(
        Mark, through="Gift", through_fields=("group", "giver"), related_name="+"
    )
    takers = models.ManyToManyField(
        Mark, through="Gift", through_fields=("group", "taker"), related_name="+"
    )
    visits = models.ManyToManyField(Mark, through="Visit", related_name="+")
    owners = models.ManyToManyField(Mark, through="OwnershipProxy", related_name="+")


class Membership(models.Model):
    group = models.ForeignKey(Group, models.CASCADE, to_field="code")
    mark = models.ForeignKey(Mark, models.CASCADE, to_field="code")


class Gift(models.Model):
    """Two many-to-many fields share these links."""

    group = models.ForeignKey(Group, models.CASCADE)
    giver = models.ForeignKey(Mark, models.CASCADE, related_name="+")
    taker = models.ForeignKey(Mark, models.CASCADE, related_name="+")


class Occasion(models.Model):
    group = models.ForeignKey(Group, models.CASCADE)
    note = models.CharField(max_length=10, blank=True)


class Visit(Occasion):
    """Links that inherit a foreign key."""

    mark = models.ForeignKey(Mark, models.CASCADE)


class Ownership(models.Model):
    group = models.ForeignKey(Group, models.CASCADE)
    mark = models.ForeignKey(Mark, models.CASCADE)


class OwnershipProxy(Ownership):
    """The links of a field, as a proxy of a registered model."""

    class Meta:
        proxy = True


history.register(Ownership, subject="group__client", label=("group", "mark__code"))


@history.register()
class KeyOnly(models.Model):
    """A row without any column to log."""


@history.register(only="optional")
class Empty(models.Model):
    """A row whose logged columns may all be empty."""

    optional = models.CharField(max_length=10, null=True)


@history.register(label="name")
class Holder(models.Model):
    """A registered parent with fields that its child hides, and fields made of them."""

    name = models.CharField(max_length=40)
    tax_number = models.CharField(max_length=20, default="")
    pin = models.CharField(max_length=20, default="")
    pin_key = models.GeneratedField(
        expression=Upper("pin"), output_field=models.CharField(max_length=20), db_persist=True
    )
    ssn = models.CharField(max_length=20, default="")
    ssn_key = models.GeneratedField(
        expression=Upper("ssn"), output_field=models.CharField(max_length=20), db_persist=True
    )


@history.register(
    subject="self",
    label="name",
    confidential={"tax_number": masks.FULL, "ssn": masks.SSN},
    secret="pin",
)
class AccountHolder(Holder):
    code = models.CharField(max_length=10, default="c")
