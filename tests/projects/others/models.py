"""Models that use what other packages offer, each only where its package is installed."""

from django.apps import apps
from django.db import models

from django_customer_history import history, masks


class Customer(models.Model):
    name = models.CharField(max_length=40)
    vat_id = models.CharField(max_length=20, default="DE12345678")

    def __str__(self):
        return self.name


history.register(Customer, subject="self", label="name", confidential={"vat_id": masks.FULL})

if apps.is_installed("taggit"):
    from taggit.managers import TaggableManager
    from taggit.models import Tag, TaggedItem

    class Article(models.Model):
        title = models.CharField(max_length=40)
        tags = TaggableManager()

    history.register(Article, subject="self", label="title")
    history.register(TaggedItem, subject="content_object")
    history.register(Tag, label="name")

    class Draft(models.Model):
        title = models.CharField(max_length=40)
        tags = TaggableManager(through="others.DraftTag")

    from taggit.models import TaggedItemBase

    class DraftTag(TaggedItemBase):
        content_object = models.ForeignKey(Draft, models.CASCADE)

    history.register(Draft, subject="self")

if apps.is_installed("polymorphic"):
    from polymorphic.models import PolymorphicModel

    class Contract(PolymorphicModel):
        customer = models.ForeignKey(Customer, models.CASCADE)
        number = models.CharField(max_length=20)

    class Lease(Contract):
        rent = models.DecimalField(max_digits=8, decimal_places=2)

    class Fleet(Lease):
        cars = models.PositiveIntegerField()

    history.register(Contract, subject="customer", label="number")
    history.register(Lease, subject="customer", label="number")
    history.register(Fleet, subject="customer", label="number")

if apps.is_installed("encrypted_fields"):
    from encrypted_fields.fields import EncryptedCharField, EncryptedTextField

    class Patient(models.Model):
        name = models.CharField(max_length=40)
        notes = EncryptedTextField()
        allergies = EncryptedCharField(max_length=255)
        diagnosis = EncryptedTextField()

    history.register(Patient, subject="self", secret=["diagnosis"], exclude=["allergies"])
