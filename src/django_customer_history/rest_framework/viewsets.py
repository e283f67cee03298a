"""The endpoints as viewsets, and `HistoryMixin` for a viewset of the project."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, QueryDict
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from django_customer_history.capture.viewing import viewed
from django_customer_history.export.foreign_requests import is_from_another_site
from django_customer_history.export.proofs import EntryProof
from django_customer_history.export.responses import export_response
from django_customer_history.export.streaming import prepare_export
from django_customer_history.feed.seals.places import PlaceInLog
from django_customer_history.point_in_time.reader_undo import ReaderUndo
from django_customer_history.point_in_time.record import record_as_of
from django_customer_history.reading.facets import facets
from django_customer_history.reading.reveal import reveal_request
from django_customer_history.reading.serialization import entry_json
from django_customer_history.reading.time_limit import with_time_limit
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.rest_framework.contract import (
    HistoryContract,
    ViewSet,
    in_reader_time_zone,
)
from django_customer_history.rest_framework.etags import conditional_response
from django_customer_history.rest_framework.filters import HistoryFilterBackend
from django_customer_history.rest_framework.pagination import HistoryPagination
from django_customer_history.rest_framework.parameters import (
    EXPORT_PARAMETERS,
    Parser,
    check_no_parameters,
    uuid_or_404,
)
from django_customer_history.rest_framework.renderers import (
    EXPORT_RENDERERS,
    ExportContentNegotiation,
    HistoryContentNegotiation,
    ProofRenderer,
)
from django_customer_history.rest_framework.serializers import (
    EntrySerializer,
    FacetsSerializer,
    PermalinkSerializer,
    RecordAsOfSerializer,
)
from django_customer_history.rest_framework.throttling import HistoryExportThrottle
from django_customer_history.rest_framework.undoing import undo_action, undo_response


class HistoryViewSet(HistoryContract, ViewSet):
    """Entries over all subjects that the reader may see, newest first."""

    permission_classes = ()
    content_negotiation_class = HistoryContentNegotiation
    serializer_class = EntrySerializer
    filter_backends = (HistoryFilterBackend,)
    pagination_class = HistoryPagination
    query_parameters: Mapping[str, Parser] = {}
    fixed_filters: Mapping[str, str] = {}
    """Filters that the URL decides, by their names."""
    fixed_names: tuple[str, ...] = ()
    """The names of these filters."""

    def get_queryset(self) -> Any:
        """Return the timeline. Raise `PermissionDenied` for a reader who may see nothing of it."""
        return Timeline.of_everything(self.request.user)

    def check_existence(self, timeline: Timeline) -> None:
        """Raise 404 if the timeline is about a subject that never existed."""

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the formats for exports, and JSON for everything else."""
        if self.action == "export":
            return [renderer() for renderer in EXPORT_RENDERERS]
        return super().get_renderers()

    @in_reader_time_zone
    @with_time_limit
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Return a page of entries: `next`, `previous` and `results`."""
        timeline = self.get_queryset()
        entries = self.paginate_queryset(self.filter_queryset(timeline))
        if not entries:
            self.check_existence(timeline)
        page = self.get_paginated_response(EntrySerializer(entries, many=True).data)
        return conditional_response(request, page.data)

    @action(detail=False, pagination_class=None)
    @in_reader_time_zone
    @with_time_limit
    def facets(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Return the values that occur in the entries, for the menus of filters."""
        timeline = self.get_queryset()
        self.check_existence(timeline)
        filtered: Any = self.filter_queryset(timeline)
        return conditional_response(request, FacetsSerializer(facets(filtered)).data)

    @action(
        detail=False,
        pagination_class=None,
        query_parameters=EXPORT_PARAMETERS,
        content_negotiation_class=ExportContentNegotiation,
        history_throttle_class=HistoryExportThrottle,
    )
    @in_reader_time_zone
    def export(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the entries as a file, streamed. This is logged.

        A request that another site started with the user's cookies is refused.
        """
        if is_from_another_site(request._request):
            raise PermissionDenied(gettext("Another site started this download."))
        timeline = self.get_queryset()
        self.check_existence(timeline)
        filtered: Any = self.filter_queryset(timeline)
        export = prepare_export(filtered, format_name=request.accepted_renderer.format)
        return export_response(request._request, export=export)


class SubjectHistoryViewSet(HistoryViewSet):
    """Entries of one subject, also of a deleted one, newest first."""

    def get_queryset(self) -> Any:
        """Return the timeline of the subject. Raise 404 for a model that is not a subject."""
        registration = registry.find(self.kwargs["model"].lower())
        if registration is None or not registration.is_subject:
            raise Http404
        return Timeline.of_subject(self.request.user, registration.model, self.kwargs["key"])

    def check_existence(self, timeline: Timeline) -> None:
        """Raise 404 if the subject never existed."""
        if not timeline.is_known():
            raise Http404

    @action(
        detail=False,
        url_path="fields/<str:field>",
        url_name="field",
        fixed_names=("field", "entity"),
    )
    @in_reader_time_zone
    @with_time_limit
    def field(self, request: Request, field: str, *args: Any, **kwargs: Any) -> Any:
        """Return a page of the entries that changed one field of the subject, newest first."""
        timeline = self.get_queryset()
        if field_of(timeline.model, field.partition(".")[0]) is None:
            raise Http404
        model = timeline.model._meta.label_lower
        self.fixed_filters = {"field": f"{model}:{field}", "entity": f"{model}:{timeline.key}"}
        entries = self.paginate_queryset(self.filter_queryset(timeline))
        if not entries:
            self.check_existence(timeline)
        page = self.get_paginated_response(EntrySerializer(entries, many=True).data)
        return conditional_response(request, page.data)

    @undo_action(detail=False)
    @in_reader_time_zone
    def restore(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Bring back the deleted subject with what its deletion took along. This is logged."""
        timeline = self.get_queryset()
        undo = ReaderUndo.of_deletion(request.user, timeline.model, timeline.key)
        return undo_response(request, undo)


class EntryViewSet(HistoryContract, ViewSet):
    """One entry, its record at that time, and its confidential values."""

    permission_classes = ()
    content_negotiation_class = HistoryContentNegotiation
    serializer_class = EntrySerializer
    filter_backends = ()
    pagination_class = None
    lookup_url_kwarg = "key"
    lookup_value_converter = "str"

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the format of proofs, and JSON for everything else."""
        return [ProofRenderer()] if self.action == "proof" else super().get_renderers()

    @in_reader_time_zone
    def retrieve(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Return the entry. This is its permalink."""
        entry_key = uuid_or_404(key)
        timeline = Timeline.of_entry(request.user, entry_key)
        entry = timeline.entry(entry_key)
        if entry is None:
            raise Http404
        check_no_parameters(request)
        place = PlaceInLog.of(entry_key, using=timeline.queryset.db)
        return conditional_response(request, PermalinkSerializer((entry, place)).data)

    @action(
        detail=True,
        content_negotiation_class=ExportContentNegotiation,
        history_throttle_class=HistoryExportThrottle,
    )
    @in_reader_time_zone
    def proof(self, request: Request, key: str, **kwargs: Any) -> HttpResponseBase:
        """Return the proof that the entry is in the sealed log. This is logged as an export.

        It has hashes for what the reader may not see. A request that another site started with the
        user's cookies is refused.
        """
        if is_from_another_site(request._request):
            raise PermissionDenied(gettext("Another site started this download."))
        entry_key = uuid_or_404(key)
        proof = EntryProof.of(Timeline.of_entry(request.user, entry_key), entry_key)
        check_no_parameters(request)
        return proof.response(request._request)

    @action(detail=True)
    def record(self, request: Request, key: str, **kwargs: Any) -> Any:
        """Return the record just before the entry and just after it."""
        record = record_as_of(request.user, uuid_or_404(key))
        check_no_parameters(request)
        return conditional_response(request, RecordAsOfSerializer(record).data)

    @action(
        detail=True,
        methods=["post"],
        serializer_class=Serializer,  # The request has no content: an empty form.
        parser_classes=[FormParser, MultiPartParser, JSONParser],  # CSRF tokens are in forms.
    )
    @in_reader_time_zone
    def reveal(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Return the entry with the confidential values that the reader may see.

        This is logged. The request has no content.
        """
        reveal = reveal_request(request.user, uuid_or_404(key))
        check_no_parameters(request)
        return Response(entry_json(reveal.recorded()))

    @undo_action(detail=True)
    @in_reader_time_zone
    def undo(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Write what was there before the entry. This is logged."""
        return undo_response(request, ReaderUndo.of_entry(request.user, uuid_or_404(key)))


class HistoryMixin(HistoryContract):
    """Adds `/customers/{id}/history/` to a viewset of a model registered as a subject.

    The viewset decides which objects exist: an object that its queryset, filter backends or
    permissions hide from a user has no history for this user. The viewset's authentication and
    throttles apply. Everything else is as at `/subjects/...`: filters, pages, problems, the
    throttle of the history, and authentication always.
    """

    @action(
        detail=True,
        url_path="history",
        url_name="history",
        pagination_class=HistoryPagination,
        content_negotiation_class=HistoryContentNegotiation,
    )
    @in_reader_time_zone
    @with_time_limit
    def history(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Return a page of the object's history: `next`, `previous` and `results`."""
        with _without_parameters(request):
            subject = self.get_object()
        model = type(subject)._meta.concrete_model
        if not registry.of(model).is_subject:
            raise ImproperlyConfigured(
                f"{type(self).__name__} has HistoryMixin, but {model._meta.label} is not registered"
                ' with subject="self". Register it so, or remove the mixin.'
            )
        timeline = Timeline.of_subject(request.user, model, subject.pk, subject=subject)
        entries = self.paginate_queryset(
            HistoryFilterBackend().filter_queryset(request, timeline, self)
        )
        page = self.get_paginated_response(EntrySerializer(entries, many=True).data)
        return conditional_response(request, page.data)

    def is_history(self) -> bool:
        """Return whether the route of the request is that of the history."""
        # `action` is None for a method that the route does not have.
        return HistoryMixin.history.__name__ in (getattr(self, "action_map", None) or {}).values()


class ViewLogViewSetMixin:
    """Log each view of a record over REST: put it in front of a viewset with `retrieve`.

    Lists are not logged. See `history.viewed` for what is logged.
    """

    viewed_fields: Iterable[str] | None = None
    """The names of the fields that the endpoint shows; None: the record as a whole."""

    def get_object(self) -> Any:
        """Return the record, and log the view if the request is for it alone."""
        view: Any = super()
        record = view.get_object()
        own: Any = self
        if own.action == "retrieve":
            viewed(record, fields=self.viewed_fields)
        return record


@contextmanager
def _without_parameters(request: Request) -> Iterator[None]:
    """Hide the query from the project's filter backends while they find the object.

    A filter of the history can have the name of one of theirs.
    """
    given = request._request.GET
    request._request.GET = QueryDict()
    try:
        yield
    finally:
        request._request.GET = given
