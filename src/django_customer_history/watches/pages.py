"""Pages: save filters as a watch, list one's own watches, enable and delete them."""

from typing import Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import URLValidator
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext
from django.views.decorators.csrf import csrf_protect

from django_customer_history.backends import microsecond_of
from django_customer_history.exceptions import InvalidFilterError, NotFoundError
from django_customer_history.keys import datetime_of, lowest_uuid_at
from django_customer_history.models import Watch
from django_customer_history.reading.filter_values import field_name_of
from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.tab.private_page import PrivatePage
from django_customer_history.tab.query import TabQuery
from django_customer_history.tab.urls import route_url, with_query
from django_customer_history.values.encoding import key_text
from django_customer_history.watches.conditions import check_condition
from django_customer_history.watches.secrets import secrets_of
from django_customer_history.watches.timelines import timeline_of


class WatchForm(forms.ModelForm):  # type: ignore[type-arg]
    """The name, the delivery and the conditions of a watch."""

    class Meta:
        model = Watch
        fields = ("name", "delivery", "url", "field", "old_condition", "new_condition")

    def clean_old_condition(self) -> str:
        """Return the condition if it is valid."""
        return self._condition("old_condition")

    def clean_new_condition(self) -> str:
        """Return the condition if it is valid."""
        return self._condition("new_condition")

    def _condition(self, name: str) -> str:
        text: str = self.cleaned_data[name].strip()
        check_condition(text)
        return text

    def clean(self) -> dict[str, Any] | None:
        """Check what belongs together: a webhook and its URL, a condition and its field."""
        cleaned = super().clean() or {}
        url, is_webhook = cleaned.get("url", ""), cleaned.get("delivery") == Watch.WEBHOOK
        if is_webhook != bool(url) or (url and not _is_https(url)):
            self.add_error("url", gettext("A webhook needs a URL with https:. Others have none."))
        has_condition = cleaned.get("old_condition") or cleaned.get("new_condition")
        if has_condition and not cleaned.get("field"):
            self.add_error("field", gettext("A condition needs a field."))
        return cleaned


def _is_https(url: str) -> bool:
    try:
        URLValidator(schemes=["https"])(url)
    except ValidationError:
        return False
    return True


class _WatchView(PrivatePage):
    """A page for users who are logged in."""

    @method_decorator(csrf_protect)  # A project may have no CsrfViewMiddleware.
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect anonymous visitors to the login."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return super().dispatch(request, *args, **kwargs)


class AddWatchView(_WatchView):
    """Save the filters of a query string for a record, or for everything."""

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Show the form to a reader who may read the tab."""
        return self._answer(request, WatchForm(instance=self._watch(request, kwargs)))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Save the watch. Everything from now on is delivered."""
        form = WatchForm(request.POST, instance=self._watch(request, kwargs))
        if not form.is_valid():
            return self._answer(request, form)
        watch: Watch = form.save(commit=False)
        try:
            self._check(request, watch)
        except InvalidFilterError as error:
            form.add_error("field" if watch.field else None, " ".join(error.errors.values()))
            return self._answer(request, form)
        except PermissionDenied:
            form.add_error("delivery", gettext("You may not export this history."))
            return self._answer(request, form)
        watch.save()
        return redirect("customer_history:watches")

    def _watch(self, request: HttpRequest, kwargs: dict[str, str]) -> Watch:
        """Return the watch without the answers of the form, if the reader may read its entries."""
        watch = Watch(
            owner=key_text(request.user),
            subject_model=kwargs.get("model", "").lower(),
            subject_id=kwargs.get("pk", ""),
            query=urlencode(TabQuery.read(request.GET).filter_values),
            language=get_language() or "",
        )
        try:
            with in_time_zone_of(request.user):
                timeline_of(watch, request.user)
        except InvalidFilterError as error:
            raise NotFoundError(str(error)) from error
        return watch

    def _check(self, request: HttpRequest, watch: Watch) -> None:
        """Check that the field exists and that the delivery is allowed; set the position."""
        with in_time_zone_of(request.user):
            timeline = timeline_of(watch, request.user)
            # By the clock of the database that has the log, as entries are.
            log = connections[timeline.queryset.db_of_writing]
            watch.position = lowest_uuid_at(datetime_of(microsecond_of(log)))
            if watch.field:
                asked = Watch(
                    subject_model=watch.subject_model,
                    subject_id=watch.subject_id,
                    query=urlencode({"field": watch.field}),
                )
                timeline_of(asked, request.user)
                watch.field = field_name_of(watch.field)[1]

    def _answer(self, request: HttpRequest, form: WatchForm) -> HttpResponse:
        filters = TabQuery.read(request.GET).filter_values
        context = {"form": form, "filters": filters, "back_url": _link(form.instance)}
        status = 400 if form.errors else 200
        return render(request, "customer_history/watch_form.html", context, status=status)


class WatchesView(_WatchView):
    """List the watches of the reader."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them with links to the tab, and with the secrets of webhooks."""
        own = Watch.objects.filter(owner=key_text(request.user)).order_by("name", "pk")
        rows = [
            {
                "watch": watch,
                "link": _link(watch),
                "filters": parse_qsl(watch.query),
                "secret": secrets_of(watch)[0] if watch.delivery == Watch.WEBHOOK else None,
            }
            for watch in own
        ]
        return render(request, "customer_history/watches.html", {"watches": rows})


class EnableWatchView(_WatchView):
    """Enable a webhook of the reader that failed too often."""

    def post(self, request: HttpRequest, watch: int) -> HttpResponse:
        """Enable it, and go back to the list. The next run goes on from its position."""
        found = get_object_or_404(Watch, pk=watch, owner=key_text(request.user))
        found.failures, found.is_disabled, found.problem = 0, False, ""
        found.save(update_fields=["failures", "is_disabled", "problem"])
        return redirect("customer_history:watches")


class DeleteWatchView(_WatchView):
    """Delete a watch of the reader."""

    def post(self, request: HttpRequest, watch: int) -> HttpResponse:
        """Delete it, and go back to the list."""
        get_object_or_404(Watch, pk=watch, owner=key_text(request.user)).delete()
        return redirect("customer_history:watches")


def _link(watch: Watch) -> str | None:
    """Return the saved view: the tab of the record, or the list of the admin."""
    if watch.subject_model:
        url = route_url(watch.subject_model, watch.subject_id)
    else:
        try:
            url = reverse("admin:customer_history_entry_changelist")
        except NoReverseMatch:
            url = None
    return with_query(url, watch.query) if url and watch.query else url
