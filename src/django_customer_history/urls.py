"""URLs of the history pages of all subjects, for the project to include.

path("history/", include("django_customer_history.urls"))
"""

from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

from django_customer_history.registration.registry import registry
from django_customer_history.views import HistoryView, RecordAsOfView

app_name = "customer_history"


def history_of(request: HttpRequest, model: str, pk: str, **kwargs: Any) -> HttpResponseBase:
    """Show the history of one record. `model` is the label of its model, such as `crm.customer`."""
    registration = registry.find(model.lower())
    if registration is None or not registration.is_subject:
        raise Http404
    return HistoryView.as_view(model=registration.model)(request, pk=pk, **kwargs)


urlpatterns = [
    path("record/<uuid:entry>/", RecordAsOfView.as_view(), name="record"),
    path("<str:model>/<path:pk>/", history_of, name="subject"),
]
