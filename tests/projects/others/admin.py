from django.contrib import admin

from django_customer_history.admin import HistoryAdminMixin
from tests.projects.others.models import Customer


@admin.register(Customer)
class CustomerAdmin(HistoryAdminMixin, admin.ModelAdmin):
    pass
