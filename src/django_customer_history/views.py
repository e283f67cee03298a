"""The History tab as a page: `/customers/<pk>/history`."""

from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
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

        What is out of the user's reach is a 404, a wrong filter a 400 that names it.
        """
        try:
            response = super().dispatch(request, *args, **kwargs)
        except OutOfReachError as error:
            raise Http404 from error
        except InvalidFilterError as error:
            return _problem(error)
        except PermissionDenied:
            if request.user.is_authenticated:
                raise
            return redirect_to_login(request.get_full_path())
        response["Cache-Control"] = "private, no-store"
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Give the template the page of entries and the record they are about."""
        model, key = self._subject_model(), self.kwargs["pk"]
        filters = Filters.read(self.request.GET, besides=("before",))
        timeline = Timeline.of_subject(cast("Reader", self.request.user), model, key)
        has_any = timeline.subject is not None or timeline.has_entries()
        timeline = timeline.filtered(filters)
        try:
            page = timeline.page(cursor=self.request.GET.get("before"))
        except InvalidCursorError as error:
            raise Http404(str(error)) from error
        if not has_any:
            raise Http404
        return super().get_context_data(
            page=page,
            subject=timeline.subject,
            subject_label=timeline.subject_label,
            filters=filters,
            request=self.request,
            **kwargs,
        )

    def _subject_model(self) -> type[models.Model]:
        if self.model is None or not registry.of(self.model).is_subject:
            raise ImproperlyConfigured(
                'HistoryView needs a model that is registered with subject="self":'
                " HistoryView.as_view(model=Customer)."
            )
        return self.model


def _problem(error: InvalidFilterError) -> JsonResponse:
    return JsonResponse(
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": str(error),
            "errors": [{"parameter": name, "detail": text} for name, text in error.errors.items()],
        },
        status=400,
        content_type="application/problem+json",
    )
