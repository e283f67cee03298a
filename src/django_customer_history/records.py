"""The page of a record as it was: just before an entry, and just after it."""

from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.generic import TemplateView

from django_customer_history.asof import RecordThen, record_then
from django_customer_history.exceptions import OutOfReachError
from django_customer_history.permissions import Reader
from django_customer_history.tab.address import address_of_entry
from django_customer_history.wording import action_text
from django_customer_history.zones import reading_zone


class RecordView(TemplateView):
    """The record that an entry tells of, as it was then, for who may see that entry.

    `django_customer_history.urls` has it already. Mounted by itself it takes the entry's key::

        path("history/record/<uuid:entry>/", RecordView.as_view())

    With a model, and the key of a record, it answers only for entries on the tab of that one::

        path(
            "customers/<int:pk>/history/<uuid:entry>/", RecordView.as_view(model=Customer)
        )
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/record.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 for what the user may not see; send anonymous visitors to the log-in."""
        try:
            response = super().dispatch(request, *args, **kwargs)
        except OutOfReachError as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            raise Http404 from error
        response["Cache-Control"] = "private, no-store"
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with the page, in the reader's time zone."""
        zone = reading_zone(request.user)
        with timezone.override(zone):
            record = record_then(cast("Reader", request.user), kwargs["entry"])
            self._check(record)
            context = self.get_context_data(
                record=record,
                action=action_text(record.entry.action),
                history_url=address_of_entry(record.entry),
                zone=str(zone),
                **kwargs,
            )
            response: Any = self.render_to_response(context)
            rendered: HttpResponse = response.render()
            return rendered

    def _check(self, record: RecordThen) -> None:
        if self.model is None:
            return
        subject = record.entry.subject
        place = None if subject is None else (subject.model, subject.id)
        if place != (self.model._meta.label_lower, str(self.kwargs.get("pk"))):
            raise OutOfReachError("This entry is on another tab.")
