"""The JSON of an entry; made for `timeline.TimelineEntry`, so it shows what that shows."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from django_customer_history.reading.timeline import TimelineChange
from django_customer_history.values.rendering import utc_text


class UserSerializer(serializers.Serializer[Any]):
    """Who acted."""

    id = serializers.CharField(allow_blank=True)
    name = serializers.CharField(source="label")


class SubjectSerializer(serializers.Serializer[Any]):
    """The record on whose tab an entry shows."""

    model = serializers.CharField()
    id = serializers.CharField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]


class EntitySerializer(SubjectSerializer):
    """The record that changed."""

    name = serializers.CharField()
    url = serializers.CharField(allow_null=True)


class SourceSerializer(serializers.Serializer[Any]):
    """Where a change came from."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class ChangeSerializer(serializers.Serializer[TimelineChange]):
    """One field of an entry; `old` and `new` are typed and never there when masked."""

    field = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    old = serializers.JSONField(help_text="Any JSON, null included.")
    new = serializers.JSONField(help_text="Any JSON, null included.")
    old_display = serializers.CharField(allow_null=True, allow_blank=True)
    new_display = serializers.CharField(allow_null=True, allow_blank=True)
    masked = serializers.BooleanField()
    permission = serializers.CharField(required=False)

    def to_representation(self, instance: TimelineChange) -> dict[str, Any]:
        """Leave the permission out where there is nothing that it would show."""
        shown = super().to_representation(instance)
        if instance.permission is None:
            del shown["permission"]
        return shown


class MomentField(serializers.DateTimeField):
    """A moment in UTC, whatever the project's time zone and formats are."""

    def to_representation(self, value: datetime) -> str:
        """Return it with a Z and all six digits."""
        return utc_text(value)


class EntrySerializer(serializers.Serializer[Any]):
    """One entry."""

    id = serializers.UUIDField()
    timestamp = MomentField()
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


class PageSerializer(serializers.Serializer[Any]):
    """A page of entries, newest first."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = EntrySerializer(many=True)


class FieldValueSerializer(serializers.Serializer[Any]):
    """A field of a record at one moment."""

    state = serializers.ChoiceField(choices=("value", "null", "masked", "secret", "unknown"))
    value = serializers.JSONField(help_text="Any JSON, null included.")
    display = serializers.CharField(allow_null=True, allow_blank=True)


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
    """A value that a filter can be given."""

    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class FacetsSerializer(serializers.Serializer[Any]):
    """What occurs in the newest entries; `complete` tells whether those are all."""

    users = ChoiceSerializer(many=True)
    actions = ChoiceSerializer(many=True)
    kinds = ChoiceSerializer(many=True)
    entities = ChoiceSerializer(many=True)
    fields = ChoiceSerializer(many=True)  # type: ignore[assignment]
    sources = ChoiceSerializer(many=True)
    complete = serializers.BooleanField()
