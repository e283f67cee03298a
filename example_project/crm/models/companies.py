"""The dealers that use the CRM, and who works for which."""

from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse


class Company(models.Model):
    """An alarm dealer. Its slug is its key, so that URLs are made without a query."""

    slug = models.SlugField(primary_key=True)
    name = models.CharField(max_length=60)

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "companies"
        permissions = (("run_jobs", "Can run the jobs of the company"),)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the address of the list of customers."""
        return reverse("customers", args=[self.pk])


def check_time_zone(name):
    """Refuse what is no time zone."""
    if name not in available_timezones():
        raise ValidationError("There is no such time zone. One is called Europe/Berlin.")


class Employee(models.Model):
    """The one company that a user works for, and the time zone to read in."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    company = models.ForeignKey(Company, models.CASCADE, related_name="employees")
    time_zone = models.CharField(
        max_length=60,
        blank=True,
        validators=[check_time_zone],
        help_text="Such as Europe/Berlin; without one it is that of the site.",
    )

    company_path = "company_id"

    def __str__(self):
        return f"{self.user} of {self.company}"
