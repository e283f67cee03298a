from django.contrib import admin

from django_customer_history.admin_history import HistoryAdminMixin
from tests.crm.models import Customer


@admin.register(Customer)
class CustomerAdmin(HistoryAdminMixin, admin.ModelAdmin):
    pass
