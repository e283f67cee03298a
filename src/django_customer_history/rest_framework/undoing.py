"""The endpoints that undo: an entry, a request, and the deletion of a record."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.http import Http404
from django.utils.translation import gettext
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from django_customer_history.exceptions import UndoTooLargeError
from django_customer_history.point_in_time.reader_undo import (
    ReaderUndo,
    ShownConflict,
    ShownOmission,
    ShownUndo,
)
from django_customer_history.reading.entries import RecordName
from django_customer_history.reading.serialization import change_json, entry_json
from django_customer_history.registration.registry import registry
from django_customer_history.rest_framework.contract import (
    HistoryContract,
    Method,
    ViewSet,
    in_reader_time_zone,
)
from django_customer_history.rest_framework.parameters import uuid_or_404
from django_customer_history.rest_framework.problems import InvalidParameters
from django_customer_history.rest_framework.renderers import HistoryContentNegotiation
from django_customer_history.rest_framework.serializers import (
    ChangeSerializer,
    EntitySerializer,
    EntrySerializer,
)

_DRY_RUN = {"1": True, "true": True, "0": False, "false": False}


class UndoSerializer(serializers.Serializer[Any]):
    """How to undo."""

    reason = serializers.CharField(max_length=500, help_text="Why. The history keeps it.")
    force = serializers.BooleanField(
        default=False,
        help_text="Overwrite later changes, and delete what belongs to records that disappear.",
    )
    values = serializers.DictField(
        required=False,
        help_text="Values that the history does not store, by app.model.field.",
    )


class ConflictSerializer(serializers.Serializer[Any]):
    """What is in the way. `change` leads from the value now to the former one."""

    reason = serializers.CharField()
    message = serializers.CharField()
    entry = serializers.UUIDField()
    entity = EntitySerializer()
    change = ChangeSerializer(allow_null=True)
    detail = serializers.CharField(allow_blank=True)
    forceable = serializers.BooleanField()
    needed_value = serializers.CharField(allow_null=True)


class OmissionSerializer(serializers.Serializer[Any]):
    """What the history cannot bring back."""

    reason = serializers.CharField()
    message = serializers.CharField()
    entry = serializers.UUIDField()
    entity = EntitySerializer()
    field_label = serializers.CharField(allow_null=True)


class UndoneSerializer(serializers.Serializer[Any]):
    """What an undo did or, as a dry run, would do."""

    dry_run = serializers.BooleanField()
    done = serializers.ListField(child=serializers.UUIDField())
    written = EntrySerializer(many=True)
    conflicts = ConflictSerializer(many=True)
    skipped = OmissionSerializer(many=True)


def undo_action(*, detail: bool) -> Callable[[Method], Method]:
    """Return the decorator of an action that undoes."""
    decorator: Any = action(
        detail=detail,
        methods=["post"],
        pagination_class=None,
        filter_backends=(),
        serializer_class=UndoSerializer,
        parser_classes=[JSONParser, FormParser, MultiPartParser],
        content_negotiation_class=HistoryContentNegotiation,
    )
    return cast("Callable[[Method], Method]", decorator)


def undo_response(request: Request, undo: ReaderUndo) -> Response:
    """Undo as the request says, and return what was done."""
    is_dry_run = _is_dry_run(request)
    form = UndoSerializer(data=request.data)
    if is_dry_run:
        form.fields["reason"].required = False
    if not form.is_valid():
        raise InvalidParameters(
            {name: " ".join(map(str, one)) for name, one in form.errors.items()}
        )
    given = form.validated_data
    options: dict[str, Any] = {
        "reason": given.get("reason") or "-",
        "force": given["force"],
        "values": _read_values(given.get("values") or {}),
    }
    shown = undo.preview(**options) if is_dry_run else undo.run(**options)
    if shown is None:  # Only with a digest.
        raise Http404
    return Response(_undone_json(shown, is_dry_run=is_dry_run))


class RequestViewSet(HistoryContract, ViewSet):
    """The changes of one request."""

    permission_classes = ()
    content_negotiation_class = HistoryContentNegotiation
    serializer_class = UndoSerializer
    filter_backends = ()
    pagination_class = None
    lookup_url_kwarg = "key"
    lookup_value_converter = "str"

    @undo_action(detail=True)
    @in_reader_time_zone
    def undo(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Undo the changes of a request that the reader may see. This is logged."""
        try:
            undo = ReaderUndo.of_request(request.user, uuid_or_404(key))
        except UndoTooLargeError as error:
            raise InvalidParameters({"key": str(error)}) from error
        return undo_response(request, undo)


def _is_dry_run(request: Request) -> bool:
    unknown = [name for name in request.query_params if name != "dry_run"]
    if unknown:
        detail = gettext("This endpoint does not have this parameter.")
        raise InvalidParameters(dict.fromkeys(unknown, detail))
    text = request.query_params.get("dry_run", "0")
    if text.lower() not in _DRY_RUN:
        raise InvalidParameters({"dry_run": gettext("Give 1 or 0.")})
    return _DRY_RUN[text.lower()]


def _read_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of fields, as the fields read them. Raise `InvalidParameters`."""
    values, errors = {}, {}
    for name, value in given.items():
        label, _, field = name.rpartition(".")
        registration = registry.find(label)
        known = registration is not None and any(
            one.name == field for one in registration.model._meta.concrete_fields
        )
        if registration is None or not known:
            errors[f"values.{name}"] = gettext("There is no such field. Give app.model.field.")
            continue
        found: Any = registration.model._meta.get_field(field)
        try:
            values[name] = found.clean(value, None)
        except ValidationError as error:
            errors[f"values.{name}"] = " ".join(error.messages)
    if errors:
        raise InvalidParameters(errors)
    return values


def _undone_json(shown: ShownUndo, *, is_dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": is_dry_run,
        "done": [str(key) for key in shown.done],
        "written": [entry_json(entry) for entry in shown.written],
        "conflicts": [_conflict_json(one) for one in shown.conflicts],
        "skipped": [_omission_json(one) for one in shown.skipped],
    }


def _conflict_json(conflict: ShownConflict) -> dict[str, Any]:
    return {
        "reason": conflict.reason,
        "message": conflict.message,
        "entry": str(conflict.entry_id),
        "entity": _entity_json(conflict.entity),
        "change": None if conflict.change is None else change_json(conflict.change),
        "detail": conflict.detail,
        "forceable": conflict.is_forceable,
        "needed_value": conflict.needed or None,
    }


def _omission_json(omission: ShownOmission) -> dict[str, Any]:
    return {
        "reason": omission.reason,
        "message": omission.message,
        "entry": str(omission.entry_id),
        "entity": _entity_json(omission.entity),
        "field_label": omission.label or None,
    }


def _entity_json(entity: RecordName) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in ("model", "id", "label", "name", "url")}
