"""django-reversion: signals within a revision block, whole rows as JSON in one table."""

from contextlib import contextmanager
from itertools import pairwise

from benchmarks.peers.base import PAGE, Peer, changes_to_fill, differing, row_of


class Reversion(Peer):
    distribution = "django-reversion"
    apps = ("reversion",)
    middleware = ("reversion.middleware.RevisionMiddleware",)

    def register(self, models):
        import reversion

        for model in (models.Customer, models.Note, models.Invoice, models.Tag):
            reversion.register(model)

    @contextmanager
    def unit(self, user):
        import reversion

        with reversion.create_revision():
            reversion.set_user(user)
            yield

    def log(self):
        from reversion.models import Version

        return [Version]

    def storage(self):
        from reversion.models import Revision, Version

        return [Version, Revision]

    def fill(self, customer, others, count, of_the_customer):
        from django.contrib.contenttypes.models import ContentType
        from reversion.models import Revision, Version

        content_type = ContentType.objects.get_for_model(customer)
        last = Revision.objects.order_by("-id").values_list("id", flat=True).first() or 0
        for batch in changes_to_fill(customer, others, count, of_the_customer):
            Revision.objects.bulk_create(
                Revision(id=last + number + 1, date_created=moment, user_id=1, comment="")
                for _one, number, moment in batch
            )
            Version.objects.bulk_create(
                Version(
                    revision_id=last + number + 1,
                    object_id=str(one.pk),
                    content_type=content_type,
                    db="default",
                    format="json",
                    serialized_data=row_of(one, number),
                    object_repr=str(one),
                )
                for one, number, _moment in batch
            )

    def page(self, customer, start):
        from reversion.models import Version

        def read():
            versions = Version.objects.get_for_object(customer)
            versions = versions.select_related("revision__user")
            versions = list(versions[start : start + PAGE + 1])
            return [
                (
                    new.revision.date_created,
                    str(new.revision.user),
                    differing(old.field_dict, new.field_dict),
                )
                for new, old in pairwise(versions)
            ]

        return read
