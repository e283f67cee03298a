"""django-pghistory: triggers, a table for each model that holds whole rows. PostgreSQL only."""

from benchmarks.peers.base import PAGE, Peer, changes_to_fill, given_timestamps


class PgHistory(Peer):
    """With its defaults: row triggers, and a table of contexts."""

    distribution = "django-pghistory"
    vendors = ("postgresql",)
    apps = ("pgtrigger", "pghistory")
    middleware = ("pghistory.middleware.HistoryMiddleware",)
    settings = {
        "PGTRIGGER_INSTALL_ON_MIGRATE": True,
        "PGHISTORY_INSTALL_CONTEXT_FUNC_ON_MIGRATE": True,
    }

    def register(self, models):
        import pghistory

        for model in (models.Customer, models.Note, models.Invoice, models.Tag):
            events = (pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
            pghistory.track(*events)(model)
        events = (pghistory.InsertEvent("add"), pghistory.DeleteEvent("remove"))
        through = models.Customer.tags.through
        pghistory.track(*events, obj_field=None, model_name="CustomerTagEvent")(through)

    def acting(self, user):
        import pghistory

        return pghistory.context(user=user.pk, url="/customers/")

    def log(self):
        from django.apps import apps

        names = ("CustomerEvent", "NoteEvent", "InvoiceEvent", "CustomerTagEvent")
        return [apps.get_model("crm", name) for name in names]

    def storage(self):
        from pghistory.models import Context

        return [*self.log(), Context]

    def fill(self, customer, others, count, of_the_customer):
        from django.apps import apps

        model = apps.get_model("crm", "CustomerEvent")
        for batch in changes_to_fill(customer, others, count, of_the_customer):
            events = [
                model(
                    **{
                        field.attname: getattr(one, field.attname)
                        for field in one._meta.concrete_fields
                        if field.name not in ("rate", "status")
                    },
                    rate=f"{number}.00",
                    status=f"status {number}",
                    pgh_label="update",
                    pgh_obj_id=one.pk,
                    pgh_created_at=moment,
                )
                for one, number, moment in batch
            ]
            with given_timestamps(model, "pgh_created_at"):
                model.objects.bulk_create(events)

    def page(self, customer, start):
        from pghistory.models import Events

        def read():
            events = Events.objects.tracks(customer).order_by("-pgh_created_at")
            return [
                (one.pgh_created_at, one.pgh_context, one.pgh_label, one.pgh_diff)
                for one in events[start : start + PAGE]
            ]

        return read


class TunedPgHistory(PgHistory):
    """Statement triggers, and the context in the row itself."""

    def __init__(self):
        # These fields can be created only when Django is about to read the settings.
        import pghistory

        self.settings = {
            **PgHistory.settings,
            "PGHISTORY_LEVEL": pghistory.Statement,
            "PGHISTORY_CONTEXT_FIELD": pghistory.ContextJSONField(),
        }

    def storage(self):
        return self.log()
