"""django-easy-audit: signals, whole rows and changed fields as text in one table.

It can also log every request. The other packages cannot, so this is switched off.
"""

import json
from contextlib import contextmanager

from benchmarks.peers.base import PAGE, Peer, changes_to_fill, given_timestamps, row_of


class EasyAudit(Peer):
    distribution = "django-easy-audit"
    apps = ("easyaudit",)
    middleware = ("easyaudit.middleware.easyaudit.EasyAuditMiddleware",)
    settings = {
        "DJANGO_EASY_AUDIT_WATCH_REQUEST_EVENTS": False,
        "DJANGO_EASY_AUDIT_WATCH_AUTH_EVENTS": False,
    }

    @contextmanager
    def acting(self, user):
        from easyaudit.middleware.easyaudit import clear_request, set_current_user

        set_current_user(user)
        try:
            yield
        finally:
            clear_request()

    def log(self):
        from easyaudit.models import CRUDEvent

        return [CRUDEvent]

    def fill(self, customer, others, count, of_the_customer):
        from django.contrib.contenttypes.models import ContentType
        from easyaudit.models import CRUDEvent

        content_type = ContentType.objects.get_for_model(customer)
        for batch in changes_to_fill(customer, others, count, of_the_customer):
            events = [
                CRUDEvent(
                    event_type=CRUDEvent.UPDATE,
                    object_id=str(one.pk),
                    content_type=content_type,
                    object_repr=str(one),
                    object_json_repr=row_of(one, number),
                    changed_fields=json.dumps({"rate": ["1.00", f"{number}.00"]}),
                    user_id=1,
                    user_pk_as_string="1",
                    datetime=moment,
                )
                for one, number, moment in batch
            ]
            with given_timestamps(CRUDEvent, "datetime"):
                CRUDEvent.objects.bulk_create(events)

    def page(self, customer, start):
        from django.contrib.contenttypes.models import ContentType
        from easyaudit.models import CRUDEvent

        def read():
            content_type = ContentType.objects.get_for_model(customer)
            events = CRUDEvent.objects.filter(
                content_type=content_type, object_id=str(customer.pk)
            ).select_related("user")
            return [
                (
                    one.datetime,
                    str(one.user),
                    one.get_event_type_display(),
                    json.loads(one.changed_fields or "{}"),
                )
                for one in events[start : start + PAGE]
            ]

        return read
