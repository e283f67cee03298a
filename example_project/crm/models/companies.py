"""The dealers that use the CRM, and their employees."""

from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse


class Company(models.Model):
    """An alarm dealer. Its slug is the primary key, so that URLs need no query."""

    slug = models.SlugField(primary_key=True)
    name = models.CharField(max_length=60)

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "companies"
        permissions = (("run_jobs", "Can run the jobs of the company"),)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the URL of the list of customers."""
        return reverse("customers", args=[self.pk])


def check_time_zone(name):
    """Raise `ValidationError` if the time zone does not exist."""
    if name not in available_timezones():
        raise ValidationError("This time zone does not exist. Use a name like Europe/Berlin.")


class Employee(models.Model):
    """A user's company and time zone."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    company = models.ForeignKey(Company, models.CASCADE, related_name="employees")
    time_zone = models.CharField(
        max_length=60,
        blank=True,
        validators=[check_time_zone],
        help_text="For example Europe/Berlin. The default is the time zone of the site.",
    )

    company_path = "company_id"

    def __str__(self):
        return f"{self.user} of {self.company}"
