"""django-simple-history: signals, a table for each model that holds whole rows."""

from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace

from django.apps import apps

from benchmarks.peers.base import PAGE, Peer, changes_to_fill


class SimpleHistory(Peer):
    distribution = "django-simple-history"
    apps = ("simple_history",)
    middleware = ("simple_history.middleware.HistoryRequestMiddleware",)

    def register(self, models):
        import simple_history

        tags = models.Customer._meta.get_field("tags")
        simple_history.register(models.Customer, m2m_fields=[tags])
        simple_history.register(models.Note)
        simple_history.register(models.Invoice)
        simple_history.register(models.Tag)

    @contextmanager
    def acting(self, user):
        from simple_history.models import HistoricalRecords

        HistoricalRecords.context.request = SimpleNamespace(user=user)
        try:
            yield
        finally:
            del HistoricalRecords.context.request

    def log(self):
        from benchmarks.crm.models import Customer, Invoice, Note

        return [model.history.model for model in (Customer, Note, Invoice)]

    def storage(self):
        models = apps.get_app_config("crm").get_models()
        return [model for model in models if model.__name__.startswith("Historical")]

    def fill(self, customer, others, count, of_the_customer):
        model = type(customer).history.model
        for batch in changes_to_fill(customer, others, count, of_the_customer):
            model.objects.bulk_create(
                model(
                    **{
                        field.attname: getattr(one, field.attname)
                        for field in one._meta.concrete_fields
                        if field.name not in ("rate", "status")
                    },
                    rate=f"{number}.00",
                    status=f"status {number}",
                    history_date=moment,
                    history_type="~",
                    history_user_id=1,
                )
                for one, number, moment in batch
            )

    def page(self, customer, start):
        def read():
            records = customer.history.select_related("history_user")
            records = list(records[start : start + PAGE + 1])
            return [
                (
                    new.history_date,
                    str(new.history_user),
                    new.get_history_type_display(),
                    [(c.field, c.old, c.new) for c in new.diff_against(old).changes],
                )
                for new, old in pairwise(records)
            ]

        return read
