"""The app `crm`."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    """Customers and all that belongs to them."""

    name = "crm"
    verbose_name = "CRM"
