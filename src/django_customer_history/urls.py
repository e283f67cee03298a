"""URLs of the history pages of all subjects, for the project to include.

path("history/", include("django_customer_history.urls"))
"""

from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

from django_customer_history.registration.registry import registry
from django_customer_history.tab.undo_page import UndoView
from django_customer_history.views import HistoryView, RecordAsOfView, UserHistoryView
from django_customer_history.watches.pages import (
    AddWatchView,
    DeleteWatchView,
    EnableWatchView,
    WatchesView,
)

app_name = "customer_history"


def history_of(request: HttpRequest, model: str, pk: str, **kwargs: Any) -> HttpResponseBase:
    """Show the history of one record. `model` is the label of its model, such as `crm.customer`."""
    registration = registry.find(model.lower())
    if registration is None or not registration.is_subject:
        raise Http404
    return HistoryView.as_view(model=registration.model)(request, pk=pk, **kwargs)


urlpatterns = [
    path("record/<uuid:entry>/", RecordAsOfView.as_view(), name="record"),
    path("undo/<uuid:entry>/", UndoView.as_view(), name="undo"),
    path("undo/<uuid:request_id>/<str:model>/<path:pk>/", UndoView.as_view(), name="undo_request"),
    path("restore/<str:model>/<path:pk>/", UndoView.as_view(), name="restore"),
    path("user/<path:user>/", UserHistoryView.as_view(), name="user"),
    path("watches/", WatchesView.as_view(), name="watches"),
    path("watches/<int:watch>/enable/", EnableWatchView.as_view(), name="enable_watch"),
    path("watches/<int:watch>/delete/", DeleteWatchView.as_view(), name="delete_watch"),
    path("watches/add/", AddWatchView.as_view(), name="watch_everything"),
    path("watches/add/<str:model>/<path:pk>/", AddWatchView.as_view(), name="watch"),
    path("<str:model>/<path:pk>/", history_of, name="subject"),
]
