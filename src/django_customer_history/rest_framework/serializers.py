"""The JSON of an entry; made for `timeline.TimelineEntry`, so it shows what that shows."""

from typing import Any

from rest_framework import serializers

from django_customer_history.timeline import TimelineChange


class ActorSerializer(serializers.Serializer[Any]):
    """Who acted."""

    id = serializers.CharField()
    name = serializers.CharField(source="label")


class RecordSerializer(serializers.Serializer[Any]):
    """A record that an entry speaks of."""

    model = serializers.CharField()
    id = serializers.CharField()
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    name = serializers.CharField()


class SourceSerializer(serializers.Serializer[Any]):
    """Where a change came from."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class ChangeSerializer(serializers.Serializer[TimelineChange]):
    """One field of an entry; `old` and `new` are typed and never there when masked."""

    field = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)
    old_display = serializers.CharField(allow_null=True)
    new_display = serializers.CharField(allow_null=True)
    masked = serializers.BooleanField()
    permission = serializers.CharField(allow_null=True)

    def to_representation(self, instance: TimelineChange) -> dict[str, Any]:
        """Leave the permission out where there is nothing that it would show."""
        shown = super().to_representation(instance)
        if instance.permission is None:
            del shown["permission"]
        return shown


class EntrySerializer(serializers.Serializer[Any]):
    """One entry."""

    id = serializers.UUIDField()
    timestamp = serializers.DateTimeField(default_timezone=None)
    user = ActorSerializer(allow_null=True)
    action = serializers.CharField()
    kind = serializers.CharField()
    subject = RecordSerializer(allow_null=True)
    entity = RecordSerializer()
    changes = ChangeSerializer(many=True)
    source = SourceSerializer()  # type: ignore[assignment]
    ip_address = serializers.CharField(allow_null=True)
    request_id = serializers.UUIDField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
