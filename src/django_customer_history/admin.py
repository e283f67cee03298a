"""The admin's pages: the log, to be read only, and the marks of what is confidential."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from django_customer_history.confidentiality import field_of
from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
    OutOfReachError,
)
from django_customer_history.filters import Filters
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.permissions import readable_models
from django_customer_history.registry import registry
from django_customer_history.rows import Page
from django_customer_history.timeline import Timeline


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
        timeline = Timeline.of_everything(request.user)
        try:
            timeline = timeline.filtered(Filters.read(request.GET, besides=("before",)))
            page = timeline.page(cursor=request.GET.get("before"))
        except (InvalidFilterError, InvalidCursorError) as error:
            return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
        return self._shown(request, page, is_list=True)

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
            entry = Timeline.of_entry(request.user, key).entry(key)
        except (ValueError, OutOfReachError):
            entry = None
        if entry is None:
            raise Http404
        return self._shown(request, Page(entries=(entry,), older=None), is_list=False)

    def _shown(self, request: HttpRequest, page: Page, *, is_list: bool) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": self.opts.verbose_name_plural,
            "page": page,
            "is_list": is_list,
        }
        template = "admin/customer_history/entry/change_list.html"
        return TemplateResponse(request, template, context)
