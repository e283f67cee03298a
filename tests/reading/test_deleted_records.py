"""Deleted records as permission backends are asked about them."""

import pytest
from django.utils import timezone

from django_customer_history.access.deleted_records import deleted_records
from django_customer_history.models import Entry
from tests.projects.crm.models import Attachment, Note, Referral

pytestmark = pytest.mark.django_db


def deleted(model, customer, key, changes, *, subjects=("crm.customer",)):
    label = model._meta.label_lower
    for subject in subjects:
        Entry.objects.create(
            timestamp=timezone.now(), kind="delete", action="Delete", source="web",
            subject_model=subject, subject_id=str(customer.pk), entity_model=label,
            entity_id=key, changes=changes,
        )  # fmt: skip
    return deleted_records(label, [key], using="default")[key]


class TestLinksOutsideTheLog:
    """A field that leads to the subject is not logged, but the subject is."""

    def test_generic_foreign_key(self, customer):
        record = deleted(Attachment, customer, "901", {"name": ["plan.txt", None]})
        assert (record.name, record.content_object) == ("plan.txt", customer)

    def test_foreign_key(self, customer):
        record = deleted(Note, customer, "902", {"text": ["Called", None]})
        assert (record.text, record.customer) == ("Called", customer)

    def test_logged_link_wins(self, customer):
        record = deleted(Note, customer, "903", {"customer": ["77", None]})
        assert record.customer_id == 77

    def test_newest_subject_wins(self, customer):
        subjects = ("crm.customer", "crm.account", "crm.customer")
        record = deleted(Attachment, customer, "904", {}, subjects=subjects)
        assert record.content_object == customer

    def test_several_paths(self, customer):
        """It is not certain which of the links led to the subject."""
        record = deleted(Referral, customer, "905", {"note": ["Called", None]})
        assert (record.note, record.seller_id, record.buyer_id) == ("Called", None, None)

    @pytest.mark.parametrize("model", ["crm.gone", "gone.customer"])
    def test_removed_model_of_subject(self, customer, model):
        record = deleted(Attachment, customer, "906", {"name": ["a", None]}, subjects=(model,))
        assert (record.name, record.content_type_id, record.object_id) == ("a", None, "")
