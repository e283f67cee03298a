"""The admin: the log, confidential fields, and the History page of the project's own models."""

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from django_customer_history.access.confidential import is_part_of_a_key
from django_customer_history.access.permissions import Reader, readable_models
from django_customer_history.exceptions import (
    InvalidFilterError,
    NotFoundError,
)
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.tab.calendar import (
    Calendar,
    build_calendar,
)
from django_customer_history.tab.download import (
    download,
    is_download,
)
from django_customer_history.tab.page import (
    Tab,
    build_tab,
    error_tab,
)
from django_customer_history.tab.query import TabQuery


class ConfidentialFieldForm(forms.ModelForm):  # type: ignore[type-arg]
    """A confidential field of a registered model."""

    model = forms.ChoiceField()

    class Meta:
        model = ConfidentialField
        fields = ("model", "field", "label", "mask")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(one.model._meta.label_lower, one.model._meta.label) for one in registry]
        self.fields["model"].choices = sorted(choices)  # type: ignore[attr-defined]
        name = ConfidentialField._meta.get_field("model").verbose_name
        self.fields["model"].label = capfirst(name)

    def clean(self) -> dict[str, Any] | None:
        """Check that the field exists, is not a primary key, and has keys only if it is JSON."""
        cleaned = super().clean() or {}
        registration = registry.find(cleaned.get("model", ""))
        root, _dot, path = cleaned.get("field", "").partition(".")
        if registration is None or not root:
            return cleaned
        known = field_of(registration.model, root)
        if known is None:
            names = sorted(one.name for one in registration.model._meta.fields)
            raise ValidationError(
                {"field": _("This field does not exist. The fields are: %s.") % ", ".join(names)}
            )
        if is_part_of_a_key(known):
            raise ValidationError({"field": _("A key cannot be confidential: it is part of URLs.")})
        if path and not isinstance(known, models.JSONField):
            raise ValidationError({"field": _("Only JSON fields have keys.")})
        return cleaned


@admin.register(ConfidentialField)
class ConfidentialFieldAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The confidential fields. Changes to them are logged."""

    form = ConfidentialFieldForm
    list_display = ("model", "field", "label", "mask")
    list_filter = ("model",)
    search_fields = ("model", "field", "label")


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The entries that the user may read. The query string takes the same filters as REST."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: only changes create entries."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the log is append-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the log is append-only."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may read the history of any subject model."""
        return readable_models(request.user) != []

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the log is in the admin's index for this user."""
        return self.has_view_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a page of the entries that the user may read."""
        tab = build_tab(request, Timeline.of_everything(request.user), url=None)
        zone = reader_time_zone(request.user)
        calendar = build_calendar(TabQuery.read(request.GET), Entry.objects.all(), zone=zone)
        return self._render_tab(request, tab, calendar)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one entry."""
        try:
            key = UUID(object_id)
            timeline = Timeline.of_entry(request.user, key)
        except (ValueError, NotFoundError) as error:
            raise Http404 from error
        tab = build_tab(
            request, timeline, url=None, allow_other_parameters=True, has_filter_bar=False
        )
        if not tab.page.entries:
            raise Http404
        return self._render_tab(request, tab)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the entry. Entries never change, so they have no history of their own."""
        page = "admin:customer_history_entry_change"
        return redirect(reverse(page, args=[object_id], current_app=self.admin_site.name))

    def _render_tab(
        self, request: HttpRequest, tab: Tab, calendar: Calendar | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "history": tab,
            "calendar": None if tab.error else calendar,
            "page": tab.page,
            "filters": tab.filters,
        }
        template = "admin/customer_history/entry/change_list.html"
        return TemplateResponse(request, template, context, status=tab.status)


if TYPE_CHECKING:
    _Base = admin.ModelAdmin[models.Model]
else:
    _Base = object


class HistoryAdminMixin(_Base):
    """Replace Django's history page of a record with the History tab.

        class CustomerAdmin(HistoryAdminMixin, admin.ModelAdmin): ...

    A reader needs the permission to read the history and the admin's permission to view the
    record. Models that are not subjects keep Django's page.
    """

    history_template = "admin/customer_history/history.html"

    @method_decorator(never_cache)
    def history_view(  # type: ignore[override]  # a file is not a TemplateResponse
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Return the tab, a file of it, or the tab with the revealed values of one entry."""
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
            tab = error_tab(request, "filter", filter_errors=error.errors)
            return self._page(request, timeline, tab, extra_context)

    def _timeline(self, request: HttpRequest, key: str) -> Timeline:
        record = self.get_object(request, key)
        if not self.has_view_or_change_permission(request, record):
            raise PermissionDenied
        try:
            timeline = Timeline.of_subject(cast("Reader", request.user), self.model, key)
        except NotFoundError as error:
            raise Http404 from error
        # A record that the admin's queryset hides from this user must not have a history here.
        if (record is None and timeline.subject is not None) or not timeline.is_known():
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
        tab = build_tab(request, timeline, url=request.path, reveals=reveals)
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
