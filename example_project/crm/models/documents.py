"""Files and e-documents of customers."""

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from crm.models.customers import CustomerRecord


class Attachment(models.Model):
    """A file of a record, such as a customer."""

    content_type = models.ForeignKey(ContentType, models.CASCADE, verbose_name=_("content type"))
    object_id = models.PositiveBigIntegerField(_("object id"))
    content_object = GenericForeignKey()
    name = models.CharField(_("name"), max_length=100, blank=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    file = models.FileField(_("file"), upload_to="attachments/%Y/%m/")

    kind = "files"
    company_path = "customer__company_id"
    company_lookup = "customers__company_id"  # `customer` is a property, not a field
    confidential = {}

    class Meta:
        ordering = ("name", "pk")
        verbose_name = _("file")
        verbose_name_plural = _("files")
        indexes = (
            models.Index(fields=["content_type", "object_id"], name="crm_attachment_record"),
        )

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the URL of the page with the details."""
        return reverse(
            "record", args=[self.customer.company_id, self.object_id, self.kind, self.pk]
        )

    def delete(self, *args, **kwargs):
        """Delete the record, and then the file itself."""
        deleted = super().delete(*args, **kwargs)
        self.file.delete(save=False)
        return deleted

    @property
    def customer(self):
        """Return the customer that the file belongs to."""
        return self.content_object


class Envelope(CustomerRecord):
    """A document that is sent for signature."""

    class Status(models.TextChoices):
        SENT = "sent", pgettext_lazy("status of an e-document", "Sent")
        SIGNED = "signed", pgettext_lazy("status of an e-document", "Signed")
        VOIDED = "voided", pgettext_lazy("status of an e-document", "Voided")

    title = models.CharField(_("title"), max_length=100)
    signer = models.CharField(_("signer"), max_length=100)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.SENT)
    reason = models.CharField(_("reason for voiding"), max_length=100, blank=True)

    kind = "e-documents"

    class History(CustomerRecord.History):
        label = "title"
        events = {
            "create": gettext_noop("Envelope Sent"),
            "status": {
                "signed": gettext_noop("Envelope Signed"),
                "voided": gettext_noop("Envelope Voided"),
            },
            "update": gettext_noop("Envelope Edited"),
        }

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("e-document")
        verbose_name_plural = _("e-documents")

    def __str__(self):
        return self.title
