"""django-auditlog: signals, the old row read before each save, one table."""

from benchmarks.peers.base import PAGE, Peer, changes_to_fill


class Auditlog(Peer):
    distribution = "django-auditlog"
    apps = ("auditlog",)
    middleware = ("auditlog.middleware.AuditlogMiddleware",)

    def register(self, models):
        from auditlog.registry import auditlog

        auditlog.register(models.Customer, m2m_fields={"tags"})
        auditlog.register(models.Note)
        auditlog.register(models.Invoice)
        auditlog.register(models.Tag)

    def acting(self, user):
        from auditlog.context import set_actor

        return set_actor(user, remote_addr="203.0.113.9")

    def log(self):
        from auditlog.models import LogEntry

        return [LogEntry]

    def fill(self, customer, others, count, of_the_customer):
        from auditlog.models import LogEntry
        from django.contrib.contenttypes.models import ContentType

        content_type = ContentType.objects.get_for_model(customer)
        for batch in changes_to_fill(customer, others, count, of_the_customer):
            entries = [
                LogEntry(
                    content_type=content_type,
                    object_pk=str(one.pk),
                    object_id=one.pk,
                    object_repr=str(one),
                    action=LogEntry.Action.UPDATE,
                    changes={"rate": ["1.00", f"{number}.00"], "status": ["a", f"b {number}"]},
                    actor_id=1,
                    remote_addr="203.0.113.9",
                    timestamp=moment,
                )
                for one, number, moment in batch
            ]
            LogEntry.objects.bulk_create(entries)

    def page(self, customer, start):
        from auditlog.models import LogEntry

        def read():
            entries = LogEntry.objects.get_for_object(customer).select_related("actor")
            return [
                (one.timestamp, str(one.actor), one.get_action_display(), one.changes_display_dict)
                for one in entries[start : start + PAGE]
            ]

        return read
