"""The admin of a model with snapshots, which can restore them."""

from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin

from tests.projects.past.models import Member

admin.site.register(Member, SimpleHistoryAdmin)
