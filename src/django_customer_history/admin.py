"""The admin: the log, the confidential fields, and a History page for a project's own models."""

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
    calendar_of,
)
from django_customer_history.tab.download import (
    download,
    is_download,
)
from django_customer_history.tab.page import (
    Tab,
    refused,
    tab_of,
)
from django_customer_history.tab.query import TabQuery


class ConfidentialFieldForm(forms.ModelForm):  # type: ignore[type-arg]
    """A mark, for a model and a field that the history knows."""

    model = forms.ChoiceField(label=_("model"))

    class Meta:
        model = ConfidentialField
        fields = ("model", "field", "label", "mask")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(one.model._meta.label_lower, one.model._meta.label) for one in registry]
        self.fields["model"].choices = sorted(choices)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        """Refuse a field that the model does not have, and a key of what is no JSON field."""
        cleaned = super().clean() or {}
        registration = registry.find(cleaned.get("model", ""))
        root, _dot, path = cleaned.get("field", "").partition(".")
        if registration is None or not root:
            return cleaned
        known = field_of(registration.model, root)
        if known is None:
            names = sorted(one.name for one in registration.model._meta.fields)
            raise ValidationError(
                {"field": _("No such field. The fields are: %s.") % ", ".join(names)}
            )
        if is_part_of_a_key(known):
            raise ValidationError(
                {"field": _("It is the key of its rows, which stands in every link and address.")}
            )
        if path and not isinstance(known, models.JSONField):
            raise ValidationError({"field": _("Only a JSON field has keys.")})
        return cleaned


@admin.register(ConfidentialField)
class ConfidentialFieldAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The marks. Each change of them is in the log."""

    form = ConfidentialFieldForm
    list_display = ("model", "field", "label", "mask")
    list_filter = ("model",)
    search_fields = ("model", "field", "label")


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The log, as far as the user may read it; its query bears the filters that REST has too."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: entries come from changes."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the log is append-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the log is append-only."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether there is any subject whose history the user may read."""
        return readable_models(request.user) != []

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the log in the index to whoever may read of it."""
        return self.has_view_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a page of the entries that the user may see."""
        tab = tab_of(request, Timeline.of_everything(request.user), address=None)
        zone = reader_time_zone(request.user)
        calendar = calendar_of(TabQuery.read(request.GET), Entry.objects.all(), zone=zone)
        return self._shown(request, tab, calendar)

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
        tab = tab_of(request, timeline, address=None, leaves_others=True, has_bar=False)
        if not tab.page.entries:
            raise Http404
        return self._shown(request, tab)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the entry: what cannot be changed has no history of its own."""
        page = "admin:customer_history_entry_change"
        return redirect(reverse(page, args=[object_id], current_app=self.admin_site.name))

    def _shown(
        self, request: HttpRequest, tab: Tab, calendar: Calendar | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "history": tab,
            "calendar": None if tab.refusal else calendar,
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
        except NotFoundError as error:
            raise Http404 from error
        # What the admin's own queryset keeps from this user has no history here either.
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
