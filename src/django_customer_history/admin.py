"""The admin's pages: the log, to be read only, and the marks of what is confidential."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from django_customer_history.confidentiality import field_of
from django_customer_history.exceptions import OutOfReachError
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.permissions import readable_models
from django_customer_history.protections import is_part_of_a_key
from django_customer_history.registry import registry
from django_customer_history.tab.calendar import Calendar, calendar_of
from django_customer_history.tab.page import Tab, tab_of
from django_customer_history.tab.query import Query
from django_customer_history.timeline import Timeline
from django_customer_history.zones import reading_zone


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
        zone = reading_zone(request.user)
        calendar = calendar_of(Query.read(request.GET), Entry.objects.all(), zone=zone)
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
        except (ValueError, OutOfReachError) as error:
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
