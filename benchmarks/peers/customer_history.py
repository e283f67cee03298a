"""This package."""

from collections import Counter

from benchmarks.peers.base import PAGE, Peer, changes_to_fill


class CustomerHistory(Peer):
    distribution = "django-customer-history"
    apps = ("django_customer_history",)
    middleware = ("django_customer_history.middleware.HistoryMiddleware",)
    settings = {"SILENCED_SYSTEM_CHECKS": ["customer_history.W001"]}

    def register(self, models):
        from django_customer_history import history

        history.register(models.Customer, subject="self", label="name")
        history.register(models.Note, subject="customer")
        history.register(models.Invoice, subject="customer", label="number")
        history.register(models.Tag, subject=None, label="name")

    def acting(self, user):
        from django_customer_history import history

        return history.acting(user=user, source="web", ip_address="203.0.113.9")

    def log(self):
        from django_customer_history.models import Entry

        return [Entry]

    def mark(self):
        from django_customer_history.keys import time_ordered_uuid

        return time_ordered_uuid()

    def check(self, expected, since):
        """Compare each entry: kind, model, number of fields, user and subject."""
        from django_customer_history.models import Entry

        found, wrong = Counter(), Counter()
        for entry in Entry.objects.filter(id__gt=since):
            found[entry.kind, entry.entity_model.partition(".")[2], len(entry.changes)] += 1
            if entry.user_label != "ann" or entry.subject_model != "crm.customer":
                wrong[entry.user_label, entry.subject_model] += 1
        if found != expected or wrong:
            raise AssertionError(f"Expected {expected}, found {found}, wrong user {wrong}.")

    def fill(self, customer, others, count, of_the_customer):
        from django_customer_history.keys import uuid_at
        from django_customer_history.models import Entry

        for batch in changes_to_fill(customer, others, count, of_the_customer):
            Entry.objects.bulk_create(
                Entry(
                    id=uuid_at(int(moment.timestamp()) * 1_000_000),
                    timestamp=moment,
                    kind="update",
                    action="Update",
                    subject_model="crm.customer",
                    subject_id=str(one.pk),
                    entity_model="crm.customer",
                    entity_id=str(one.pk),
                    entity_label=one.name,
                    changes={"rate": ["1.00", f"{number}.00"], "status": ["a", f"b {number}"]},
                    user_id="1",
                    user_label="ann",
                    source="web",
                    ip_address="203.0.113.9",
                )
                for one, number, moment in batch
            )

    def page(self, customer, start):
        from django_customer_history.reading.cursors import Cursor
        from django_customer_history.reading.timeline import Timeline

        timeline = Timeline.of_subject(CommandReader(), type(customer), customer.pk)
        cursor = None
        if start:
            key = self._key_before(customer, start)
            cursor = Cursor(key=key).write(question=timeline.question)
        return lambda: (
            Timeline.of_subject(CommandReader(), type(customer), customer.pk)
            .page(limit=PAGE, cursor=cursor)
            .entries
        )

    def _key_before(self, customer, start):
        from django_customer_history import history

        keys = history.entries_for(customer).newest_first().values_list("id", flat=True)
        return keys[start - 1]


class CommandReader:
    """A user who may read everything that is not confidential."""

    is_superuser = True

    def has_perm(self, permission, obj=None):
        return permission == "customer_history.view_entry"
