"""The JSON of the endpoints: entries, facets, records and problems."""

from typing import Any

from rest_framework import serializers

from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.serialization import entry_json


def _without(shown: dict[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != left_out}


class UserSerializer(serializers.Serializer[Any]):
    """The user who made a change."""

    id = serializers.CharField(allow_blank=True)
    name = serializers.CharField()


class SubjectSerializer(serializers.Serializer[Any]):
    """The record whose history an entry belongs to."""

    model = serializers.CharField()
    id = serializers.CharField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]


class EntitySerializer(SubjectSerializer):
    """The record that changed."""

    name = serializers.CharField()
    url = serializers.CharField(allow_null=True)


class SourceSerializer(serializers.Serializer[Any]):
    """The part of the system that caused a change."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class ChangeSerializer(serializers.Serializer[Any]):
    """One field of an entry. `old` and `new` are typed, and null if the field is masked.

    In lists, long values are shortened to a text, and `truncated` is true.
    """

    field = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    old = serializers.JSONField(help_text="Any JSON, null included.")
    new = serializers.JSONField(help_text="Any JSON, null included.")
    old_display = serializers.CharField(allow_null=True, allow_blank=True)
    new_display = serializers.CharField(allow_null=True, allow_blank=True)
    masked = serializers.BooleanField()
    permission = serializers.CharField(required=False)
    truncated = serializers.BooleanField(required=False)


class EntrySerializer(serializers.Serializer[Any]):
    """One entry. In lists, one with very many changes has `omitted_changes`, a number."""

    # The fields describe the entry for OpenAPI. The values come from `entry_json`, as in exports.

    id = serializers.UUIDField()
    timestamp = serializers.DateTimeField()
    user = UserSerializer(allow_null=True)
    impersonator = UserSerializer(allow_null=True)
    action = serializers.CharField()
    kind = serializers.CharField()
    subject = SubjectSerializer(allow_null=True)
    entity = EntitySerializer()
    changes = ChangeSerializer(many=True)
    source = SourceSerializer()  # type: ignore[assignment]
    ip_address = serializers.CharField(allow_null=True)
    request_id = serializers.UUIDField(allow_null=True)
    reason = serializers.CharField(allow_null=True, allow_blank=True)
    is_baseline = serializers.BooleanField()
    primary_id = serializers.UUIDField(allow_null=True)
    omitted_changes = serializers.IntegerField(required=False)

    def to_representation(self, instance: TimelineEntry) -> dict[str, Any]:
        """Return the entry as NDJSON exports have it too."""
        return entry_json(instance)


class SealSerializer(serializers.Serializer[Any]):
    """The seal of an entry, as stored: the checkpoint of the log with `size` entries."""

    timestamp = serializers.DateTimeField()
    log_name = serializers.CharField()
    size = serializers.IntegerField()
    leaf = serializers.IntegerField(help_text="Which leaf of the tree the entry is, from 0.")


class PermalinkSerializer(EntrySerializer):
    """One entry with its seal; null: it is not sealed yet."""

    sealed = SealSerializer(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return an entry and its place in the seals, of a pair of both."""
        entry, place = instance
        sealed = None if place is None else SealSerializer(place).data
        return {**super().to_representation(entry), "sealed": sealed}


class FieldValueSerializer(serializers.Serializer[Any]):
    """A field of a record at one moment."""

    state = serializers.ChoiceField(choices=("value", "null", "masked", "secret", "unknown"))
    value = serializers.JSONField(help_text="Any JSON, null included.")
    display = serializers.CharField(allow_null=True, allow_blank=True)
    truncated = serializers.BooleanField(source="is_truncated", required=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the value; only a shortened one says that it is."""
        shown: dict[str, Any] = super().to_representation(instance)
        return _without(shown, "truncated") if not instance.is_truncated else shown


class FieldAsOfSerializer(serializers.Serializer[Any]):
    """A field of a record just before an entry and just after it."""

    field = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    before = FieldValueSerializer(allow_null=True)
    after = FieldValueSerializer(allow_null=True)
    is_changed = serializers.BooleanField()
    permission = serializers.CharField(allow_null=True)


class RecordAsOfSerializer(serializers.Serializer[Any]):
    """A record just before an entry and just after it."""

    entry = EntrySerializer()
    existed_before = serializers.BooleanField()
    exists_after = serializers.BooleanField()
    fields = FieldAsOfSerializer(many=True)  # type: ignore[assignment]
    omitted_fields = serializers.IntegerField(required=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the record, with the number of fields that are left out, if any are."""
        shown: dict[str, Any] = super().to_representation(instance)
        return _without(shown, "omitted_fields") if not instance.omitted_fields else shown


class ParameterErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one parameter."""

    parameter = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ParameterErrorSerializer(many=True, required=False)  # type: ignore[assignment]


class ChoiceSerializer(serializers.Serializer[Any]):
    """A value of a filter, and its label."""

    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class FacetsSerializer(serializers.Serializer[Any]):
    """The values that occur in the newest entries. `complete` says if those are all entries."""

    users = ChoiceSerializer(many=True)
    actions = ChoiceSerializer(many=True)
    kinds = ChoiceSerializer(many=True)
    entities = ChoiceSerializer(many=True)
    fields = ChoiceSerializer(many=True)  # type: ignore[assignment]
    sources = ChoiceSerializer(many=True)
    complete = serializers.BooleanField()
