"""To be mounted by the host: `path("api/history/", include(...))`."""

from importlib import import_module
from importlib.util import find_spec

from django.urls import path

from django_customer_history.rest_framework.views import (
    EntryListView,
    EntryView,
    ExportView,
    FacetsView,
    RevealView,
    SubjectEntryListView,
    SubjectExportView,
    SubjectFacetsView,
)

if find_spec("drf_spectacular") is not None:
    # Extensions of drf-spectacular are known by being imported.
    import_module("django_customer_history.rest_framework.openapi")

app_name = "customer_history_api"

_SUBJECT = "subjects/<str:model>/<str:key>/"

urlpatterns = [
    path("", EntryListView.as_view(), name="entries"),
    path("facets/", FacetsView.as_view(), name="facets"),
    path("export/", ExportView.as_view(), name="export"),
    path(_SUBJECT, SubjectEntryListView.as_view(), name="subject"),
    path(f"{_SUBJECT}facets/", SubjectFacetsView.as_view(), name="subject-facets"),
    path(f"{_SUBJECT}export/", SubjectExportView.as_view(), name="subject-export"),
    path("entries/<str:key>/", EntryView.as_view(), name="entry"),
    path("entries/<str:key>/reveal/", RevealView.as_view(), name="reveal"),
]
