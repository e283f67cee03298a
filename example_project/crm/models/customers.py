"""Customers, their tags and custom fields, and their portal log-ins."""

from decimal import Decimal

from django.conf import settings
from django.contrib.contenttypes.fields import GenericRelation
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from crm.companies import within_reach
from crm.models.companies import Company
from crm.money import dollars
from django_customer_history import (
    history,
    masks,
)
from django_customer_history.models import AuditedModel

CONFIDENTIAL = {
    "ssn": masks.SSN,
    "bank_account": masks.ACCOUNT,
    "card_number": masks.CARD,
}
"""The confidential fields of a customer, with their masks."""


@history.register(label="name")
class Tag(models.Model):
    """A tag for customers of a company."""

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="tags", verbose_name=_("company")
    )
    name = models.CharField(_("name"), max_length=40)

    company_path = "company_id"

    class Meta:
        ordering = ("name",)
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        constraints = (
            models.UniqueConstraint(fields=["company", "name"], name="crm_tag_once_a_company"),
        )

    def __str__(self):
        return self.name


@history.register(label="name")
class UserDefinedField(models.Model):
    """A custom field that a company defined for its customers."""

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="user_defined_fields", verbose_name=_("company")
    )
    key = models.CharField(
        _("key"),
        max_length=30,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", _("Letters, digits and underscores."))],
        help_text=_("For example gate_code."),
    )
    name = models.CharField(_("name"), max_length=60)

    company_path = "company_id"

    class Meta:
        ordering = ("name",)
        verbose_name = _("custom field")
        verbose_name_plural = _("custom fields")
        constraints = (
            models.UniqueConstraint(fields=["company", "key"], name="crm_field_once_a_company"),
        )

    def __str__(self):
        return self.name

    @property
    def path(self):
        """Return the name of the field in the history."""
        return f"udf.{self.key}"


def names_of_fields(reader):
    """Return the names of the custom fields of the reader's company, by key."""
    return dict(within_reach(reader, UserDefinedField.objects.all()).values_list("key", "name"))


@history.register(
    subject="self",
    label="name",
    confidential=CONFIDENTIAL,
    json_keys=["udf"],
    key_labels={"udf": names_of_fields},
    display={"sale_price": dollars, "monthly_rate": dollars},
    events={
        # The first match wins. A new customer is not archived either, but it was not restored.
        "create": gettext_noop("Customer Created"),
        "is_archived": {
            True: gettext_noop("Customer Archived"),
            False: gettext_noop("Customer Restored"),
        },
    },
)
class Customer(models.Model):
    """A household or business with an alarm system."""

    class Status(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("status of a customer", "Active")
        CANCELED = "canceled", pgettext_lazy("status of a customer", "Canceled")

    class Term(models.IntegerChoices):
        ONE_YEAR = 12, _("12 months")
        TWO_YEARS = 24, _("24 months")
        THREE_YEARS = 36, _("36 months")
        FIVE_YEARS = 60, _("60 months")

    class Lead(models.TextChoices):
        DOOR = "door", pgettext_lazy("lead source", "Door to door")
        REFERRAL = "referral", pgettext_lazy("lead source", "Referral")
        WEB = "web", pgettext_lazy("lead source", "Web site")
        TAKEOVER = "takeover", pgettext_lazy("lead source", "Takeover")

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="customers", verbose_name=_("company")
    )
    name = models.CharField(_("name"), max_length=100)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.ACTIVE)
    address = models.CharField(_("address"), max_length=120)
    city = models.CharField(_("city"), max_length=60)
    state = models.CharField(_("state"), max_length=2)
    postal_code = models.CharField(_("ZIP code"), max_length=10)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    email = models.EmailField(_("email"), blank=True)
    sold_on = models.DateField(_("sale date"), null=True, blank=True)
    sales_representative = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sales representative"),
    )
    lead_source = models.CharField(_("lead source"), max_length=10, choices=Lead, blank=True)
    sale_price = models.DecimalField(
        _("sale price"),
        max_digits=8,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    contract_term = models.PositiveSmallIntegerField(
        _("contract term"), choices=Term, default=Term.THREE_YEARS
    )
    monthly_rate = models.DecimalField(
        _("monthly rate"),
        max_digits=8,
        decimal_places=2,
        default=Decimal("39.99"),
        validators=[MinValueValidator(0)],
    )
    monitoring_company = models.CharField(_("monitoring company"), max_length=60, blank=True)
    monitoring_account = models.CharField(_("monitoring account"), max_length=20, blank=True)
    ssn = models.CharField(_("SSN"), max_length=11, blank=True)
    bank_account = models.CharField(_("bank account"), max_length=34, blank=True)
    card_number = models.CharField(_("card"), max_length=19, blank=True)
    udf = models.JSONField(_("custom field"), default=dict, blank=True)
    last_signal_on = models.DateField(_("last signal"), null=True, blank=True, editable=False)
    is_archived = models.BooleanField(_("archived"), default=False)
    tags = models.ManyToManyField(Tag, blank=True, related_name="customers", verbose_name=_("tags"))
    files = GenericRelation("Attachment", related_query_name="customers")
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    company_path = "company_id"
    confidential = CONFIDENTIAL

    class Meta:
        ordering = ("name", "pk")
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the URL of the page with the details."""
        return reverse("customer", args=[self.company_id, self.pk])

    def get_history_url(self):
        """Return the URL of the History tab, for the template tags of the package."""
        return reverse("customer_history", args=[self.company_id, self.pk])


class CustomerRecord(AuditedModel):
    """A record of a customer with its own pages. `kind` is its name in URLs."""

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="%(class)ss", verbose_name=_("customer")
    )

    kind = ""
    company_path = "customer__company_id"
    confidential = {}

    class History:
        subject = "customer"

    class Meta:
        abstract = True

    def get_absolute_url(self):
        """Return the URL of the page with the details."""
        return reverse(
            "record", args=[self.customer.company_id, self.customer_id, self.kind, self.pk]
        )


class PortalLogin(CustomerRecord):
    """A customer's log-in to the customer portal. The password is stored as a hash."""

    username = models.CharField(_("username"), max_length=60, unique=True)
    password = models.CharField(_("password"), max_length=128)

    kind = "portal"

    class History(CustomerRecord.History):
        label = "username"
        events = {
            "create": gettext_noop("Portal Log-in Created"),
            "password": gettext_noop("Password Changed"),
            "update": gettext_noop("Portal Log-in Edited"),
            "delete": gettext_noop("Portal Log-in Removed"),
        }

    class Meta:
        verbose_name = _("portal log-in")
        verbose_name_plural = _("portal log-ins")

    def __str__(self):
        return self.username


@history.register(label="name")
class PortalRight(models.Model):
    """A right that a company gives to contacts in its customer portal."""

    company = models.ForeignKey(
        Company, models.CASCADE, related_name="portal_rights", verbose_name=_("company")
    )
    name = models.CharField(_("name"), max_length=40)

    company_path = "company_id"

    class Meta:
        ordering = ("pk",)
        verbose_name = _("portal right")
        verbose_name_plural = _("portal rights")

    def __str__(self):
        return self.name


class PortalContact(CustomerRecord):
    """A person who may use the customer portal for a customer, with the rights there."""

    name = models.CharField(_("name"), max_length=100)
    email = models.EmailField(_("email"), blank=True)
    rights = models.ManyToManyField(
        PortalRight, blank=True, related_name="contacts", verbose_name=_("rights")
    )

    kind = "portal-contacts"

    class History(CustomerRecord.History):
        label = "name"
        events = {
            "create": gettext_noop("Portal Contact Added"),
            "update": gettext_noop("Portal Contact Edited"),
            "delete": gettext_noop("Portal Contact Removed"),
        }

    class Meta:
        verbose_name = _("portal contact")
        verbose_name_plural = _("portal contacts")

    def __str__(self):
        return self.name
