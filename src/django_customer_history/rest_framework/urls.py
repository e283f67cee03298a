"""To be mounted by the host: `path("api/history/", include(...))`."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from django_customer_history.rest_framework.views import (
    EntryListView,
    EntryView,
    ExportView,
    FacetsView,
    RecordAsOfView,
    RevealView,
    SubjectEntryListView,
    SubjectExportView,
    SubjectFacetsView,
)

app_name = "customer_history_api"


class KeyConverter(StringConverter):
    """A subject's key, which may have any character in it, a slash too."""

    regex = r"[\s\S]+"


register_converter(KeyConverter, "customer_history_key")

_SUBJECT = "subjects/<str:model>/<customer_history_key:key>/"

urlpatterns = [
    path("", EntryListView.as_view(), name="entries"),
    path("facets/", FacetsView.as_view(), name="facets"),
    path("export/", ExportView.as_view(), name="export"),
    # Before the subject itself, whose key would take all that follows.
    path(f"{_SUBJECT}facets/", SubjectFacetsView.as_view(), name="subject-facets"),
    path(f"{_SUBJECT}export/", SubjectExportView.as_view(), name="subject-export"),
    path(_SUBJECT, SubjectEntryListView.as_view(), name="subject"),
    path("entries/<str:key>/", EntryView.as_view(), name="entry"),
    path("entries/<str:key>/record/", RecordAsOfView.as_view(), name="record"),
    path("entries/<str:key>/reveal/", RevealView.as_view(), name="reveal"),
]
