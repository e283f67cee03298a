"""`HistoryMixin`: `/customers/{id}/history/` on a viewset of the host's own."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from django_customer_history.rest_framework.views import SubjectEntryListView


class HistoryMixin:
    """Adds the history of its objects to a viewset of a model registered as a subject.

    Which objects there are, the viewset decides: what its queryset or its permissions keep from
    a user has no history here either. The answer is that of the subject's own endpoint, with
    its filters, pages and problem documents; users authenticate as for the viewset.
    """

    @action(detail=True, methods=["get"], url_path="history", url_name="history")
    def history(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Answer with a page of the object's history."""
        viewset: GenericViewSet[Any] = self
        subject = viewset.get_object()
        view = SubjectEntryListView.as_view(
            authentication_classes=viewset.authentication_classes,
        )
        model, key = subject._meta.label_lower, str(subject.pk)
        return view(request._request, model=model, key=key, subject=subject)
