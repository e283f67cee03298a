"""The pages: the history of one record, and a record as it was."""

from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.generic import TemplateView

from django_customer_history.access.permissions import Reader
from django_customer_history.exceptions import (
    InvalidFilterError,
    NotFoundError,
)
from django_customer_history.labels import action_label
from django_customer_history.point_in_time.record import (
    RecordAsOf,
    record_as_of,
)
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from django_customer_history.tab.address import address_of_entry
from django_customer_history.tab.download import (
    download,
    is_download,
)
from django_customer_history.tab.page import (
    Tab,
    refused,
    tab_of,
)


class HistoryView(TemplateView):
    """The page of one record's history, also of one that is deleted.

    Mount it with the subject's model::

        path("customers/<int:pk>/history", HistoryView.as_view(model=Customer))

    Its query may bear the filters that REST has too, under the same names. With `format=csv`
    it is the file of just that view; a POST of `reveal` shows the confidential values of an
    entry, once.
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/history.html"
    http_method_names = ["get", "head", "options", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send anonymous visitors to the log-in; say so, with a 403, without permission.

        What is out of the user's reach is a 404, of which anonymous visitors learn nothing.
        """
        try:
            response = super().dispatch(request, *args, **kwargs)
        except (NotFoundError, PermissionDenied) as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if isinstance(error, NotFoundError):
                raise Http404 from error
            response = self._answer(refused(request, "permission"))
        response["Cache-Control"] = "private, no-store"
        return response

    def get(  # type: ignore[override]  # a file is no page
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer with the page or the file; with a 400 that names it for a wrong filter."""
        timeline = self.timeline()
        if not is_download(request):
            return self._page(timeline)
        try:
            return download(request, timeline)
        except InvalidFilterError as error:
            refusal = refused(request, "filter", wrong_filters=error.errors)
        except PermissionDenied:
            refusal = refused(request, "export")
        return self._answer(refusal, subject=timeline.subject)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the page on which the values of one entry are revealed."""
        timeline = self.timeline()
        try:
            return self._page(timeline, reveals=True)
        except PermissionDenied:
            return self._answer(refused(request, "reveal"), subject=timeline.subject)

    def timeline(self) -> Timeline:
        """Return the history that this page is about."""
        return Timeline.of_subject(
            cast("Reader", self.request.user), self._subject_model(), self.kwargs["pk"]
        )

    def _page(self, timeline: Timeline, *, reveals: bool = False) -> HttpResponse:
        tab = tab_of(self.request, timeline, address=self.request.path, reveals=reveals)
        if not tab.refusal and not tab.page.entries and not timeline.is_known():
            raise Http404
        return self._answer(tab, subject=timeline.subject)

    def _answer(self, tab: Tab, *, subject: models.Model | None = None) -> HttpResponse:
        context = self.get_context_data(
            history=tab,
            page=tab.page,
            subject=subject,
            subject_label=tab.page.subject_label,
            filters=tab.filters,
            refusal=tab.refusal,
            wrong_filters=tab.wrong_filters,
            **self.kwargs,
        )
        return self.render_to_response(context, status=tab.status)

    def _subject_model(self) -> type[models.Model]:
        if self.model is None or not registry.of(self.model).is_subject:
            raise ImproperlyConfigured(
                'HistoryView needs a model that is registered with subject="self":'
                " HistoryView.as_view(model=Customer)."
            )
        return self.model


class RecordAsOfView(TemplateView):
    """The record that an entry tells of, as it was then, for who may see that entry.

    `django_customer_history.urls` has it already. Mounted by itself it takes the entry's key::

        path("history/record/<uuid:entry>/", RecordAsOfView.as_view())

    With a model, and the key of a record, it answers only for entries on the tab of that one::

        path(
            "customers/<int:pk>/history/<uuid:entry>/", RecordAsOfView.as_view(model=Customer)
        )
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/record.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 for what the user may not see; send anonymous visitors to the log-in."""
        try:
            response = super().dispatch(request, *args, **kwargs)
        except NotFoundError as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            raise Http404 from error
        response["Cache-Control"] = "private, no-store"
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with the page, in the reader's time zone."""
        zone = reader_time_zone(request.user)
        with timezone.override(zone):
            record = record_as_of(cast("Reader", request.user), kwargs["entry"])
            self._check(record)
            context = self.get_context_data(
                record=record,
                action=action_label(record.entry.action),
                history_url=address_of_entry(record.entry),
                zone=str(zone),
                **kwargs,
            )
            response: Any = self.render_to_response(context)
            rendered: HttpResponse = response.render()
            return rendered

    def _check(self, record: RecordAsOf) -> None:
        if self.model is None:
            return
        subject = record.entry.subject
        place = None if subject is None else (subject.model, subject.id)
        if place != (self.model._meta.label_lower, str(self.kwargs.get("pk"))):
            raise NotFoundError("This entry is on another tab.")
