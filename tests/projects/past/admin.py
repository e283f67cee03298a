"""The admin that shows whole rows as they were, and goes back to them."""

from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin

from tests.projects.past.models import Member

admin.site.register(Member, SimpleHistoryAdmin)
