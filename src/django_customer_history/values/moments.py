"""Moments with and without a time zone, by Django's own rules, and the column of the log's time."""

import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone


def aware(moment: datetime) -> datetime:
    """Return a datetime with a time zone; a naive one is in the zone of the setting `TIME_ZONE`.

    That is the rule of Django's `DateTimeField`. Like the field, it warns about a naive datetime
    if `USE_TZ` is on.
    """
    if moment.tzinfo is not None:
        return moment
    if settings.USE_TZ:
        warnings.warn(
            f"The history received a naive datetime ({moment}) while time zone support is active.",
            RuntimeWarning,
            stacklevel=3,
        )
    return moment.replace(tzinfo=timezone.get_default_timezone())


def in_utc(moment: datetime) -> datetime:
    """Return a moment as read from the database as an aware one in UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.get_default_timezone())
    return moment.astimezone(UTC)


def as_stored(moment: datetime) -> datetime:
    """Return a naive datetime, without `USE_TZ`, as the database stores it.

    A database with time zones takes it for one of the setting `TIME_ZONE` and stores a moment: of
    two moments with the same local time the later one, and for a local time that a clock skips the
    one by the offset from before. Others store it as it is.
    """
    if not connections[DEFAULT_DB_ALIAS].features.supports_timezones:
        return moment
    zone = timezone.get_default_timezone()
    both = [moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    return min(both, key=lambda one: one.utcoffset() or timedelta())


def as_django_has_it(moment: datetime) -> datetime:
    """Return a moment of the log as the ORM returns it: aware in UTC, naive without `USE_TZ`.

    A moment in the log is naive if the database of the record stores local times: those of the
    database's `TIME_ZONE`, else of the setting `TIME_ZONE`. Raises `OverflowError` if the other
    form of the moment is not in the years 1 to 9999.
    """
    if not settings.USE_TZ:
        if moment.tzinfo is None:
            return moment
        return moment.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)
    if moment.tzinfo is None:
        own: Any = connections[DEFAULT_DB_ALIAS]
        named = own.settings_dict.get("TIME_ZONE")
        zone = own.timezone if named else timezone.get_default_timezone()
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


class UTCDateTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """A moment that is stored in UTC whatever the settings say: triggers write it, too.

    To Python it is like a `DateTimeField`: aware with `USE_TZ`, else naive in local time. Without
    this class, a database without time zones would have it in the zone of `TIME_ZONE`.
    """

    def deconstruct(self) -> Any:
        """Return what a migration writes: the column is that of a `DateTimeField`."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:
        """Return the value for the database: in UTC, without a zone if the database has none."""
        if not prepared:
            value = self.get_prep_value(value)
        if not isinstance(value, datetime):
            return super().get_db_prep_value(value, connection, prepared=True)
        moment = in_utc(value)
        if connection.features.supports_timezones:
            return moment
        return connection.ops.adapt_datetimefield_value(moment.replace(tzinfo=None))

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return the moment. Django has taken the stored time for one in the database's zone."""
        if not isinstance(value, datetime):
            return value
        if not connection.features.supports_timezones:
            value = value.replace(tzinfo=UTC)
        if settings.USE_TZ or value.tzinfo is None:
            return value
        return value.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)
