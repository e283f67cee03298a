"""Pages: the history of one record, and a record as it was at one entry."""

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
from django_customer_history.tab.download import (
    download,
    is_download,
)
from django_customer_history.tab.page import (
    Tab,
    build_tab,
    error_tab,
)
from django_customer_history.tab.urls import entry_url


class HistoryView(TemplateView):
    """Show the history of one record, also after the record was deleted.

    Add it to the URLs with the subject's model::

        path("customers/<int:pk>/history", HistoryView.as_view(model=Customer))

    The query string takes the same filters as the REST API. With `format=csv` the answer is a file
    of the entries that match. A POST with `reveal`, the id of an entry, shows the confidential
    values of that entry once.
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/history.html"
    http_method_names = ["get", "head", "options", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect anonymous visitors to the login; answer 403 to users without permission.

        A record that does not exist for the user is a 404. Anonymous visitors are redirected in
        that case too, so they cannot find out which records exist.
        """
        try:
            response = super().dispatch(request, *args, **kwargs)
        except (NotFoundError, PermissionDenied) as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if isinstance(error, NotFoundError):
                raise Http404 from error
            response = self._answer(error_tab(request, "permission"))
        response["Cache-Control"] = "private, no-store"
        return response

    def get(  # type: ignore[override]  # a file is not a TemplateResponse
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Return the page or the file. A filter that is not valid is a 400 that names it."""
        timeline = self.timeline()
        if not is_download(request):
            return self._page(timeline)
        try:
            return download(request, timeline)
        except InvalidFilterError as error:
            tab = error_tab(request, "filter", filter_errors=error.errors)
        except PermissionDenied:
            tab = error_tab(request, "export")
        return self._answer(tab, subject=timeline.subject)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the page with the revealed values of one entry."""
        timeline = self.timeline()
        try:
            return self._page(timeline, reveals=True)
        except PermissionDenied:
            return self._answer(error_tab(request, "reveal"), subject=timeline.subject)

    def timeline(self) -> Timeline:
        """Return the timeline of the record that the URL names."""
        return Timeline.of_subject(
            cast("Reader", self.request.user), self._subject_model(), self.kwargs["pk"]
        )

    def _page(self, timeline: Timeline, *, reveals: bool = False) -> HttpResponse:
        tab = build_tab(self.request, timeline, url=self.request.path, reveals=reveals)
        if not tab.error and not tab.page.entries and not timeline.is_known():
            raise Http404
        return self._answer(tab, subject=timeline.subject)

    def _answer(self, tab: Tab, *, subject: models.Model | None = None) -> HttpResponse:
        context = self.get_context_data(
            history=tab,
            page=tab.page,
            subject=subject,
            subject_label=tab.page.subject_label,
            filters=tab.filters,
            error=tab.error,
            filter_errors=tab.filter_errors,
            **self.kwargs,
        )
        return self.render_to_response(context, status=tab.status)

    def _subject_model(self) -> type[models.Model]:
        if self.model is None or not registry.of(self.model).is_subject:
            raise ImproperlyConfigured(
                "HistoryView needs the model of a subject, as in"
                " HistoryView.as_view(model=Customer), and that model must be registered with"
                ' history.register(Customer, subject="self").'
            )
        return self.model


class RecordAsOfView(TemplateView):
    """Show a record just before and just after one of its entries.

    `django_customer_history.urls` includes it. To add it yourself, name the id of the entry::

        path("history/record/<uuid:entry>/", RecordAsOfView.as_view())

    With a model and the key of a subject, only the entries of that subject are found::

        path(
            "customers/<int:pk>/history/<uuid:entry>/", RecordAsOfView.as_view(model=Customer)
        )
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/record_as_of.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect anonymous visitors to the login; answer 404 to users who may not see it."""
        try:
            response = super().dispatch(request, *args, **kwargs)
        except NotFoundError as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            raise Http404 from error
        response["Cache-Control"] = "private, no-store"
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the page, with times in the reader's time zone."""
        zone = reader_time_zone(request.user)
        with timezone.override(zone):
            record = record_as_of(cast("Reader", request.user), kwargs["entry"])
            self._check_subject(record)
            context = self.get_context_data(
                record=record,
                action=action_label(record.entry.action),
                history_url=entry_url(record.entry),
                zone=str(zone),
                **kwargs,
            )
            response: Any = self.render_to_response(context)
            rendered: HttpResponse = response.render()
            return rendered

    def _check_subject(self, record: RecordAsOf) -> None:
        if self.model is None:
            return
        subject = record.entry.subject
        found = None if subject is None else (subject.model, subject.id)
        if found != (self.model._meta.label_lower, str(self.kwargs.get("pk"))):
            raise NotFoundError("This entry belongs to another subject.")
