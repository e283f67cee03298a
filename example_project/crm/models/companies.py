"""The dealers that use the CRM, and their employees."""

from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class Company(models.Model):
    """An alarm dealer. Its slug is the primary key, so that URLs need no query."""

    slug = models.SlugField(_("slug"), primary_key=True)
    name = models.CharField(_("name"), max_length=60)

    class Meta:
        ordering = ("name",)
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        permissions = (("run_jobs", "Can run the jobs of the company"),)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the URL of the list of customers."""
        return reverse("customers", args=[self.pk])


def check_time_zone(name):
    """Raise `ValidationError` if the time zone does not exist."""
    if name not in available_timezones():
        raise ValidationError(_("This time zone does not exist. Use a name like Europe/Berlin."))


class Employee(models.Model):
    """A user's company and time zone."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("user"))
    company = models.ForeignKey(
        Company, models.CASCADE, related_name="employees", verbose_name=_("company")
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        blank=True,
        validators=[check_time_zone],
        help_text=_("For example Europe/Berlin. The default is the time zone of the site."),
    )

    company_path = "company_id"

    class Meta:
        verbose_name = _("employee")
        verbose_name_plural = _("employees")

    def __str__(self):
        return gettext("%(user)s of %(company)s") % {"user": self.user, "company": self.company}
