from django.contrib import admin

from tests.crm.models import Customer

admin.site.register(Customer)
