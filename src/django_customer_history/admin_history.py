"""The History tab on a host's own pages in the admin, in place of Django's history page."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from django_customer_history.exceptions import InvalidFilterError, OutOfReachError
from django_customer_history.permissions import Reader
from django_customer_history.registry import registry
from django_customer_history.tab.download import download, is_download
from django_customer_history.tab.page import Tab, refused, tab_of
from django_customer_history.timeline import Timeline

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[models.Model]
else:
    _Base = object


class HistoryAdminMixin(_Base):
    """Shows the History tab where Django shows its own history of a record.

        class CustomerAdmin(HistoryAdminMixin, admin.ModelAdmin): ...

    Who may read it is said by the same permissions as everywhere, and by the admin's own: both
    must allow it. Records that are no subject keep Django's page.
    """

    history_template = "admin/customer_history/history.html"

    @method_decorator(never_cache)
    def history_view(  # type: ignore[override]  # a file is no page
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Answer with the tab, with the file of a view of it, or with revealed values."""
        registration = registry.find(self.opts.label_lower)
        if registration is None or not registration.is_subject:
            return super().history_view(request, object_id, extra_context)
        timeline = self._timeline(request, unquote(object_id))
        if request.method == "POST":
            return self._tab(request, timeline, extra_context, reveals=True)
        if not is_download(request):
            return self._tab(request, timeline, extra_context)
        try:
            return download(request, timeline)
        except InvalidFilterError as error:
            tab = refused(request, "filter", wrong_filters=error.errors)
            return self._page(request, timeline, tab, extra_context)

    def _timeline(self, request: HttpRequest, key: str) -> Timeline:
        record = self.get_object(request, key)
        if not self.has_view_or_change_permission(request, record):
            raise PermissionDenied
        try:
            timeline = Timeline.of_subject(cast("Reader", request.user), self.model, key)
        except OutOfReachError as error:
            raise Http404 from error
        # What the admin's own queryset keeps from this user has no history here either.
        if (record is None and timeline.subject is not None) or not timeline.is_of_something():
            raise Http404
        return timeline

    def _tab(
        self,
        request: HttpRequest,
        timeline: Timeline,
        extra_context: dict[str, Any] | None,
        *,
        reveals: bool = False,
    ) -> TemplateResponse:
        tab = tab_of(request, timeline, address=request.path, reveals=reveals)
        return self._page(request, timeline, tab, extra_context)

    def _page(
        self,
        request: HttpRequest,
        timeline: Timeline,
        tab: Tab,
        extra_context: dict[str, Any] | None,
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "history": tab,
            "label": tab.page.subject_label,
            "object": timeline.subject,
            "opts": self.opts,
            "module_name": str(self.opts.verbose_name_plural),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.history_template, context, status=tab.status)
