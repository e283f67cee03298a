"""The History tab as a page: `/customers/<pk>/history`."""

from http import HTTPStatus
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.generic import TemplateView

from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
    OutOfReachError,
)
from django_customer_history.filters import Filters
from django_customer_history.permissions import Reader
from django_customer_history.registry import registry
from django_customer_history.timeline import Timeline


class HistoryView(TemplateView):
    """The page of one record's history, also of one that is deleted.

    Mount it with the subject's model:

        path("customers/<int:pk>/history", HistoryView.as_view(model=Customer))

    Its query may bear the filters that REST has too, under the same names.
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/history.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send anonymous visitors to the log-in; answer 403 without permission.

        What is out of the user's reach is a 404.
        """
        try:
            response = super().dispatch(request, *args, **kwargs)
        except OutOfReachError as error:
            raise Http404 from error
        except PermissionDenied:
            if request.user.is_authenticated:
                raise
            return redirect_to_login(request.get_full_path())
        response["Cache-Control"] = "private, no-store"
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with the page or, for a wrong filter, with a 400 that names it."""
        timeline = Timeline.of_subject(
            cast("Reader", request.user), self._subject_model(), kwargs["pk"]
        )
        try:
            shown = self._shown(timeline)
        except InvalidFilterError as error:
            context = self.get_context_data(refusal="filter", wrong_filters=error.errors, **kwargs)
            return self.render_to_response(context, status=HTTPStatus.BAD_REQUEST)
        return self.render_to_response(self.get_context_data(**shown, **kwargs))

    def _shown(self, timeline: Timeline) -> dict[str, Any]:
        """Return the page of entries and the record they are about."""
        filters = Filters.read(self.request.GET, besides=("before",))
        try:
            page = timeline.filtered(filters).page(cursor=self.request.GET.get("before"))
        except InvalidCursorError as error:
            raise Http404(str(error)) from error
        if not page.entries and not timeline.is_of_something():
            raise Http404
        return {
            "page": page,
            "subject": timeline.subject,
            "subject_label": page.subject_label,
            "filters": filters,
        }

    def _subject_model(self) -> type[models.Model]:
        if self.model is None or not registry.of(self.model).is_subject:
            raise ImproperlyConfigured(
                'HistoryView needs a model that is registered with subject="self":'
                " HistoryView.as_view(model=Customer)."
            )
        return self.model
