"""Pages: the history of one record, and a record as it was at one entry."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.generic import TemplateView

from django_customer_history.access.permissions import Reader
from django_customer_history.capture.viewing import viewed
from django_customer_history.exceptions import (
    ForeignRequestError,
    InvalidFilterError,
    NotFoundError,
)
from django_customer_history.labels import action_label
from django_customer_history.point_in_time.record import (
    RecordAsOf,
    record_as_of,
)
from django_customer_history.reading.time_zones import reader_time_zone
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from django_customer_history.tab.download import (
    download,
    is_download,
)
from django_customer_history.tab.page import (
    Tab,
    build_tab,
    error_tab,
    filter_error_tab,
)
from django_customer_history.tab.private_page import PrivatePage
from django_customer_history.tab.urls import entry_url, page_url


class _TabView(TemplateView):
    """A page whose template shows a tab."""

    def _rendered(self, tab: Tab, **more: Any) -> HttpResponse:
        # The keywords of the URL come first: a project may give one of them any of these names.
        context = self.get_context_data(
            **{
                **self.kwargs,
                "history": tab,
                "page": tab.page,
                "filters": tab.filters,
                "error": tab.error,
                "filter_errors": tab.filter_errors,
                **more,
            }
        )
        return self.render_to_response(context, status=tab.status)


class HistoryView(_TabView):
    """Show the history of one record, also after the record was deleted.

    Add it to the URLs with the subject's model::

        path("customers/<int:pk>/history", HistoryView.as_view(model=Customer))

    Give the name of another URL keyword as `pk_url_kwarg`. With `slug_field`, the name of a unique
    field, the keyword `slug` (`slug_url_kwarg`) has its value; the history of a deleted record is
    then not found::

        path("c/<slug:slug>/history", HistoryView.as_view(model=Customer, slug_field="code"))

    The query string takes the same filters as the REST API. With `format=csv` the answer is a file
    of the entries that match. A POST with `reveal`, the id of an entry, shows the confidential
    values of that entry once.
    """

    model: type[models.Model] | None = None
    pk_url_kwarg = "pk"
    slug_field: str | None = None
    slug_url_kwarg = "slug"
    template_name = "customer_history/history.html"
    http_method_names = ["get", "head", "options", "post"]

    @method_decorator(csrf_protect)  # A project may have no CsrfViewMiddleware.
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect anonymous visitors to the login; answer 403 to users without permission.

        A record that does not exist for the user is a 404. Anonymous visitors are redirected in
        that case too, so they cannot find out which records exist.
        """
        try:
            response = super().dispatch(request, *args, **kwargs)
        except (NotFoundError, PermissionDenied) as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if isinstance(error, NotFoundError):
                raise Http404 from error
            response = self._answer(error_tab(request, "permission"))
        response["Cache-Control"] = "private, no-store"
        return response

    def get(  # type: ignore[override]  # a file is not a TemplateResponse
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Return the page or the file. A filter that is not valid is a 400 that names it."""
        timeline = self.timeline()
        if not is_download(request):
            return self._page(timeline)
        try:
            return download(request, timeline)
        except InvalidFilterError as error:
            tab = filter_error_tab(request, timeline, errors=error.errors)
        except ForeignRequestError:
            tab = error_tab(request, "site")
        except PermissionDenied:
            tab = error_tab(request, "export")
        return self._answer(tab, subject=timeline.subject)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the page with the revealed values of one entry."""
        timeline = self.timeline()
        try:
            return self._page(timeline, reveals=True)
        except PermissionDenied:
            return self._answer(error_tab(request, "reveal"), subject=timeline.subject)

    def timeline(self) -> Timeline:
        """Return the timeline of the record that the URL names."""
        model = self._subject_model()
        return Timeline.of_subject(cast("Reader", self.request.user), model, self._key(model))

    def _key(self, model: type[models.Model]) -> Any:
        """Return the key of the record that the URL names."""
        if self.pk_url_kwarg in self.kwargs:
            return self.kwargs[self.pk_url_kwarg]
        if self.slug_field is None or self.slug_url_kwarg not in self.kwargs:
            raise ImproperlyConfigured(
                f"HistoryView needs the key of a {model._meta.label}: the URL has no keyword"
                f" {self.pk_url_kwarg!r}. Name it in the URL, or set pk_url_kwarg, or slug_field"
                " and slug_url_kwarg."
            )
        # The base manager: the project's own managers may hide archived records.
        records = model._base_manager.filter(**{self.slug_field: self.kwargs[self.slug_url_kwarg]})
        keys = list(records.values_list("pk", flat=True)[:2])
        if len(keys) != 1:
            raise NotFoundError("There is no such record.")
        return keys[0]

    def _page(self, timeline: Timeline, *, reveals: bool = False) -> HttpResponse:
        tab = build_tab(self.request, timeline, url=page_url(self.request), reveals=reveals)
        if not tab.error and not tab.page.entries and not timeline.is_known():
            raise Http404
        return self._answer(tab, subject=timeline.subject)

    def _answer(self, tab: Tab, *, subject: models.Model | None = None) -> HttpResponse:
        return self._rendered(tab, subject=subject, subject_label=tab.page.subject_label)

    def _subject_model(self) -> type[models.Model]:
        if self.model is None or not registry.of(self.model).is_subject:
            raise ImproperlyConfigured(
                "HistoryView needs the model of a subject, as in"
                " HistoryView.as_view(model=Customer), and that model must be registered with"
                ' history.register(Customer, subject="self").'
            )
        return self.model


class UserHistoryView(_TabView):
    """Show what one user changed, in all records whose history the reader may see.

    `django_customer_history.urls` includes it. To add it yourself, name the key of the user::

        path("staff/<int:user>/changes", UserHistoryView.as_view())

    The reader needs the permission to read the history of some subject model, and sees only the
    entries of those. The query string takes the same filters as `HistoryView`, without `user`.
    """

    user_url_kwarg = "user"
    template_name = "customer_history/user_history.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect anonymous visitors to the login; answer 403 to users without permission."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        try:
            response = super().dispatch(request, *args, **kwargs)
        except PermissionDenied:
            response = self._rendered(error_tab(request, "permission"))
        response["Cache-Control"] = "private, no-store"
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the page. A user that neither the project nor the log has is a 404."""
        key = str(kwargs[self.user_url_kwarg])
        timeline = Timeline.of_everything(cast("Reader", request.user))
        tab = build_tab(request, timeline, url=None, fixed={"user": key})
        if "user" in tab.filter_errors:
            raise Http404
        return self._rendered(tab, person=_name_of_user(key, tab))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the context. Its `user` is the reader, not the keyword of the URL."""
        context = super().get_context_data(**kwargs)
        if self.user_url_kwarg == "user":
            context.pop("user", None)
        return context


def _name_of_user(key: str, tab: Tab) -> str:
    """Return the newest name of a user on a page, else the name of today."""
    for entry in tab.page.entries:
        if entry.user is not None:
            return entry.user.label
    users = get_user_model()._base_manager
    return str(users.filter(pk=key).first() or key)


class ViewLogMixin:
    """Log each view of the record that a page shows: `class Page(ViewLogMixin, DetailView)`.

    It works with views that have a record in `object`, such as `DetailView` and `UpdateView`. See
    `history.viewed` for what is logged.
    """

    viewed_fields: Iterable[str] | None = None
    """The names of the fields that the page shows; None: the record as a whole."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the page, and log that the user sees the record."""
        view: Any = super()
        response: HttpResponse = view.get(request, *args, **kwargs)
        record = getattr(self, "object", None)
        if response.status_code == HTTPStatus.OK and record is not None:
            viewed(record, fields=self.viewed_fields)
        return response


class RecordAsOfView(PrivatePage, TemplateView):
    """Show a record just before and just after one of its entries.

    `django_customer_history.urls` includes it. To add it yourself, name the id of the entry::

        path("history/record/<uuid:entry>/", RecordAsOfView.as_view())

    With a model and the key of a subject, only the entries of that subject are found::

        path(
            "customers/<int:pk>/history/<uuid:entry>/", RecordAsOfView.as_view(model=Customer)
        )
    """

    model: type[models.Model] | None = None
    pk_url_kwarg = "pk"
    template_name = "customer_history/record_as_of.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the page, with times in the reader's time zone."""
        zone = reader_time_zone(request.user)
        with timezone.override(zone):
            record = record_as_of(cast("Reader", request.user), kwargs["entry"])
            self._check_subject(record)
            context = self.get_context_data(
                record=record,
                action=action_label(record.entry.action),
                history_url=entry_url(record.entry),
                zone=str(zone),
                **kwargs,
            )
            response: Any = self.render_to_response(context)
            rendered: HttpResponse = response.render()
            return rendered

    def _check_subject(self, record: RecordAsOf) -> None:
        if self.model is None:
            return
        subject = record.entry.subject
        found = None if subject is None else (subject.model, subject.id)
        if found != (self.model._meta.label_lower, str(self.kwargs.get(self.pk_url_kwarg))):
            raise NotFoundError("This entry belongs to another subject.")
