"""The History tab as a page: `/customers/<pk>/history`."""

from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.generic import TemplateView

from django_customer_history.exceptions import InvalidCursorError
from django_customer_history.permissions import Reader
from django_customer_history.registry import registry
from django_customer_history.timeline import Timeline


class HistoryView(TemplateView):
    """The page of one record's history, also of one that is deleted.

    Mount it with the subject's model:

        path("customers/<int:pk>/history", HistoryView.as_view(model=Customer))
    """

    model: type[models.Model] | None = None
    template_name = "customer_history/history.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send anonymous visitors to the log-in; answer 403 without permission."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except PermissionDenied:
            if request.user.is_authenticated:
                raise
            return redirect_to_login(request.get_full_path())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Give the template the page of entries and the record they are about."""
        model, key = self._subject_model(), self.kwargs["pk"]
        timeline = Timeline.of_subject(cast("Reader", self.request.user), model, key)
        try:
            page = timeline.page(cursor=self.request.GET.get("before"))
        except InvalidCursorError as error:
            raise Http404(str(error)) from error
        subject = model._base_manager.filter(pk=key).first()
        if subject is None and not page.entries:
            raise Http404
        return super().get_context_data(page=page, subject=subject, **kwargs)

    def _subject_model(self) -> type[models.Model]:
        if self.model is None or not registry.of(self.model).is_subject:
            raise ImproperlyConfigured(
                'HistoryView needs a model that is registered with subject="self":'
                " HistoryView.as_view(model=Customer)."
            )
        return self.model
