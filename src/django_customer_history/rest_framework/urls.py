"""To be mounted by the host: `path("api/history/", include(...))`."""

from django.urls import path

from django_customer_history.rest_framework.views import (
    EntryListView,
    EntryView,
    SubjectEntryListView,
)

app_name = "customer_history_api"

urlpatterns = [
    path("", EntryListView.as_view(), name="entries"),
    path("subjects/<str:model>/<str:key>/", SubjectEntryListView.as_view(), name="subject"),
    path("entries/<uuid:key>/", EntryView.as_view(), name="entry"),
]
