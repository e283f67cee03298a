"""The admin: the log, confidential fields, and the History page of the project's own models."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from django_customer_history.access.mark_form import (
    ConfidentialFieldForm,
    effect_of,
    field_name,
    model_name,
)
from django_customer_history.access.permissions import (
    Reader,
    confidential_permission_of,
    may_export_all,
    may_see,
    readable_models,
)
from django_customer_history.capture.viewing import viewed
from django_customer_history.exceptions import (
    ForeignRequestError,
    InvalidFilterError,
    NotFoundError,
)
from django_customer_history.models import ConfidentialField, Entry, Watch
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from django_customer_history.tab.calendar import Calendar, build_calendar
from django_customer_history.tab.download import download, is_download
from django_customer_history.tab.page import Tab, build_tab, error_tab, filter_error_tab
from django_customer_history.tab.query import TabQuery
from django_customer_history.tab.seals import is_proof, proof_download, seal_on_page
from django_customer_history.tab.undo_page import UndoView
from django_customer_history.tab.urls import page_url


class _MarkedModel(admin.SimpleListFilter):
    """The models that have marks, by their verbose names."""

    title = ConfidentialField._meta.get_field("model").verbose_name
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the models that have marks."""
        labels = ConfidentialField.objects.order_by().values_list("model", flat=True).distinct()
        return sorted(((label, model_name(label)) for label in labels), key=lambda one: one[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the marks of the chosen model."""
        return queryset.filter(model=self.value()) if self.value() else queryset


@admin.register(ConfidentialField)
class ConfidentialFieldAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The confidential fields. Changes to them are logged."""

    form = ConfidentialFieldForm
    list_display = ("model_name", "field_name", "label", "mask")
    list_filter = (_MarkedModel,)
    search_fields = ("model", "field", "label")

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Return the form, with the keys of JSON fields as this user knows them."""
        form: Any = super().get_form(request, obj, **options)
        form.reader = request.user
        return form

    @admin.display(description=_("model"), ordering="model")
    def model_name(self, mark: ConfidentialField) -> str:
        """Return the verbose name of the model."""
        return model_name(mark.model)

    @admin.display(description=_("field"), ordering="field")
    def field_name(self, mark: ConfidentialField) -> str:
        """Return the verbose name of the field."""
        return field_name(mark)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Say what the new mark hides, and which permission shows it."""
        response = super().response_add(request, obj, post_url_continue)
        self.message_user(request, effect_of(obj))
        return response

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Say what the mark hides now, and which permission shows it."""
        response = super().response_change(request, obj)
        self.message_user(request, effect_of(obj))
        return response

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may change marks, and see the values that this one hides."""
        return super().has_change_permission(request, obj) and _sees_values_of(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may remove marks, and see the values that this one hides."""
        return super().has_delete_permission(request, obj) and _sees_values_of(request.user, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the permissions that the user needs to remove several marks at once."""
        found, count, needed, protected = super().get_deleted_objects(objs, request)
        hidden = [mark for mark in objs if not _sees_values_of(request.user, mark)]
        return found, count, {*needed, *map(str, hidden)}, protected


def _sees_values_of(user: Any, mark: ConfidentialField | None) -> bool:
    """Return whether a user may see what a mark hides; without a mark the answer is True."""
    return mark is None or may_see(user, confidential_permission_of(mark.model, mark.field))


@admin.register(Watch)
class WatchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The watches of all users, to look at and to delete. Only their owners make them."""

    list_display = ("name", "owner", "subject_model", "subject_id", "delivery", "problem")
    list_filter = ("delivery",)
    fields = tuple(one.name for one in Watch._meta.concrete_fields)
    search_fields = ("name", "owner")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a watch reads with the permissions of its owner."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: another URL would get what the owner may see."""
        return False


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
        tab = build_tab(request, Timeline.of_everything(request.user), url=None, in_admin=True)
        query, zone = TabQuery.read(request.GET), reader_time_zone(request.user)
        if may_export_all(request.user):
            link = query.link({"format": ["csv"]}, keep_other_parameters=False)
            tab = replace(tab, export_link=self._url("entry_export") + link, exports_by_form=True)
        calendar = build_calendar(query, Entry.objects.all(), zone=zone)
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
        if is_proof(TabQuery.read(request.GET)):
            return self._proof(request, timeline, key)
        tab = build_tab(
            request,
            timeline,
            url=None,
            allow_other_parameters=True,
            has_filter_bar=False,
            in_admin=True,
        )
        if not tab.page.entries:
            raise Http404
        seal = seal_on_page(request, timeline, key)
        return self._render_tab(request, replace(tab, seal=seal))

    def _proof(self, request: HttpRequest, timeline: Timeline, key: UUID) -> HttpResponse:
        try:
            return proof_download(request, timeline, key)
        except InvalidFilterError as error:
            tab = error_tab(request, "filter", filter_errors=error.errors)
        except ForeignRequestError:
            tab = error_tab(request, "site")
        except NotFoundError as error:
            raise Http404 from error
        return self._render_tab(request, tab)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return a file of the entries that match the filters in the query string, and log it.

        Raises `PermissionDenied` if the user may not export everything that the log shows them.
        """
        if request.method != "POST":
            # What was wrong with a download is said here, with links to the other filters.
            query = TabQuery.read(request.GET).link(keep=("before", "entry", "filter"))
            return redirect(self._url("entry_changelist") + query)
        timeline = Timeline.of_everything(request.user)
        if not may_export_all(request.user):
            raise PermissionDenied
        try:
            return download(request, timeline)
        except InvalidFilterError as error:
            tab = filter_error_tab(request, timeline, errors=error.errors)
        except ForeignRequestError:
            tab = error_tab(request, "site")
        return self._render_tab(request, tab)

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs, with those of the export and of the pages that undo."""
        view = self.admin_site.admin_view(self.undo_view)
        pages = (
            ("undo/<uuid:entry>/", "undo"),
            ("undo/<uuid:request_id>/<str:model>/<path:pk>/", "undo_request"),
            ("restore/<str:model>/<path:pk>/", "restore"),
        )
        own = [path(route, view, name=f"customer_history_{name}") for route, name in pages]
        export = path(
            "export/",
            self.admin_site.admin_view(self.export_view),
            name="customer_history_entry_export",
        )
        return [export, *own, *super().get_urls()]

    def undo_view(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Preview an undo, or undo: the page of the tab, in the admin."""
        request.current_app = self.admin_site.name
        view = UndoView.as_view(
            template_name="admin/customer_history/undo.html",
            extra_context={
                **self.admin_site.each_context(request),
                "title": capfirst(str(self.opts.verbose_name_plural)),
            },
        )
        return view(request, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the entry. Entries never change, so they have no history of their own."""
        return redirect(self._url("entry_change", object_id))

    def _url(self, page: str, *args: str) -> str:
        name = f"admin:customer_history_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)

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
    log_views = False
    """Whether the log says who opens the page of a record, as `history.viewed` does."""

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the page of a record, and log the view if `log_views` is True."""
        response = super().render_change_form(request, *args, **kwargs)
        record = kwargs.get("obj")
        if self.log_views and request.method == "GET" and record is not None:
            viewed(record)
        return response

    @method_decorator(never_cache)
    def history_view(  # type: ignore[override]  # a file is not a TemplateResponse
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Return the tab, a file of it, or the tab with the revealed values of one entry."""
        registration = registry.find(self.opts.label_lower)
        if registration is None or not registration.is_subject:
            return super().history_view(request, object_id, extra_context)
        record = self.get_object(request, unquote(object_id))
        timeline = self._timeline(request, unquote(object_id), record)
        # An archived record has no page to which the template could link.
        extra_context = {"object": record, **(extra_context or {})}
        if request.method == "POST":
            return self._tab(request, timeline, extra_context, reveals=True)
        if not is_download(request):
            return self._tab(request, timeline, extra_context)
        try:
            return download(request, timeline)
        except InvalidFilterError as error:
            tab = filter_error_tab(request, timeline, errors=error.errors)
        except ForeignRequestError:
            tab = error_tab(request, "site")
        return self._page(request, tab, extra_context)

    def get_history_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Return the records whose history the user may open here, archived ones included.

        These are all rows of the model, also those that its default manager hides. If the admin
        has a `get_queryset` of its own, which may limit what each user sees, they are those of
        `get_queryset`: override this method, too, with the same limits.
        """
        if type(self).get_queryset is admin.ModelAdmin.get_queryset:
            return self.model._base_manager.all()
        return self.get_queryset(request)

    def _timeline(self, request: HttpRequest, key: str, record: models.Model | None) -> Timeline:
        if not self.has_view_or_change_permission(request, record):
            raise PermissionDenied
        try:
            timeline = Timeline.of_subject(cast("Reader", request.user), self.model, key)
        except NotFoundError as error:
            raise Http404 from error
        hidden = timeline.subject if record is None else None
        if not timeline.is_known():
            raise Http404
        if hidden is not None and not self._is_archived(request, hidden):
            raise Http404
        return timeline

    def _is_archived(self, request: HttpRequest, record: models.Model) -> bool:
        """Return whether a record without a page here is only archived, not kept from the user."""
        found = self.get_history_queryset(request).filter(pk=record.pk)
        return found.exists() and self.has_view_or_change_permission(request, record)

    def _tab(
        self,
        request: HttpRequest,
        timeline: Timeline,
        extra_context: dict[str, Any] | None,
        *,
        reveals: bool = False,
    ) -> TemplateResponse:
        tab = build_tab(request, timeline, url=page_url(request), reveals=reveals, in_admin=True)
        return self._page(request, tab, extra_context)

    def _page(
        self, request: HttpRequest, tab: Tab, extra_context: dict[str, Any] | None
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "history": tab,
            "label": tab.page.subject_label,
            "opts": self.opts,
            "module_name": str(self.opts.verbose_name_plural),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.history_template, context, status=tab.status)
