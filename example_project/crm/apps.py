"""The app `crm`."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    """Customers and their records."""

    name = "crm"
    verbose_name = "CRM"
