"""Revealing on the History tab: permission is checked, and each reveal is logged."""

import re

import pytest
from django.test import Client

from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note
from tests.reading.conftest import grant
from tests.reading.tabs import REVEALING, actions, get_staff, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


def reveals():
    return Entry.objects.filter(action="Confidential Values Revealed").count()


def revealed(answer):
    entries = [entry for day in answer.context["history"].days for entry in day.entries]
    return [entry.entry.id for entry in entries if entry.is_revealed]


class TestRevealing:
    @pytest.fixture
    def masked_entry(self, reader, user, customer, settings):
        settings.CUSTOMER_HISTORY = REVEALING
        Customer.objects.filter(pk=customer.pk).update(ssn="999-88-7777")
        return Entry.objects.filter(kind="update").order_by("-id")[0]

    def test_value_is_shown_once_and_logged(self, reader, user, customer, masked_entry):
        grant(user, "view_confidential_customer_ssn")
        before = reader.get(tab_url(customer)).content.decode()
        assert "999-88-7777" not in before
        assert f'name="reveal" value="{masked_entry.id}"' in before
        assert "You need the permission" not in before
        answer = reader.post(tab_url(customer), {"reveal": str(masked_entry.id)})
        assert "999-88-7777" in answer.content.decode()
        assert actions(answer)[0] == "Confidential Values Revealed"
        assert answer.context["page"].entries[0].user.label == "ann"
        link = f"?entry={masked_entry.id}#ch-entry"
        assert f'<a href="{link}" title="{masked_entry.id}">' in answer.content.decode()
        assert "999-88-7777" not in reader.get(tab_url(customer)).content.decode()

    def test_says_before_that_it_is_logged(self, reader, user, customer, masked_entry):
        assert "This is logged." not in shown(reader.get(tab_url(customer)))
        grant(user, "view_confidential_customer_ssn")
        assert "Reveal This is logged." in shown(reader.get(tab_url(customer)))

    def test_permission_is_required(self, reader, customer, masked_entry):
        page = reader.get(tab_url(customer)).content.decode()
        assert "ch-reveal" not in page
        assert "Hidden. You need the permission “Can see the ssn of customer unmasked”." in page
        answer = reader.post(tab_url(customer), {"reveal": str(masked_entry.id)})
        assert answer.status_code == 403
        assert "You cannot reveal any value of this change." in shown(answer)
        assert not Entry.objects.filter(action="Confidential Values Revealed").exists()

    def test_a_value_moved_to_an_older_page(self, reader, user, customer, masked_entry, settings):
        settings.CUSTOMER_HISTORY = {**REVEALING, "PAGE_SIZE": 3}
        grant(user, "view_confidential_customer_ssn")
        for text in ("one", "two"):
            Note.objects.create(customer=customer, text=text)
        first = reader.get(tab_url(customer))
        assert first.context["page"].entries[2].id == masked_entry.id
        answer = reader.post(first.context["history"].reveal_link, {"reveal": str(masked_entry.id)})
        assert "999-88-7777" in answer.content.decode()
        assert reveals() == 1
        assert revealed(answer) == [masked_entry.id]
        assert "Show newest changes" in shown(answer)

    def test_a_value_of_an_older_page(self, reader, user, customer, masked_entry, settings):
        settings.CUSTOMER_HISTORY = {**REVEALING, "PAGE_SIZE": 3}
        grant(user, "view_confidential_customer_ssn")
        for text in ("one", "two", "three", "four"):
            Note.objects.create(customer=customer, text=text)
        link = reader.get(tab_url(customer)).context["history"].reveal_link
        answer = reader.post(link, {"reveal": str(masked_entry.id)})
        assert '<tbody class="ch-entry ch-update ch-revealed">' in answer.content.decode()
        assert "999-88-7777" in answer.content.decode()
        assert (reveals(), revealed(answer)) == (1, [masked_entry.id])

    @pytest.mark.parametrize(
        "refused",
        [("?kind=create", 404), ("?kind=nonsense", 400), ("?before=nonsense", 400)],
    )
    def test_an_error_reveals_nothing(self, reader, user, customer, masked_entry, refused):
        grant(user, "view_confidential_customer_ssn")
        query, status = refused
        answer = reader.post(tab_url(customer) + query, {"reveal": str(masked_entry.id)})
        assert answer.status_code == status
        assert "999-88-7777" not in answer.content.decode()
        assert reveals() == 0

    def test_needs_the_csrf_token(self, user, customer, masked_entry):
        grant(user, "view_confidential_customer_ssn")
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        # The test settings have no CSRF middleware, but the pages of the admin check the token.
        grant(user, "view_customer")
        get_staff(user)
        page = f"/admin/crm/customer/{customer.pk}/history/"
        assert client.post(page, {"reveal": str(masked_entry.id)}).status_code == 403
        text = client.get(page).content.decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)[1]
        answer = client.post(page, {"reveal": str(masked_entry.id), "csrfmiddlewaretoken": token})
        assert "999-88-7777" in answer.content.decode()

    @pytest.mark.parametrize("key", ["", "x", "01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f"])
    def test_an_unknown_entry_is_not_found(self, reader, customer, masked_entry, key):
        assert reader.post(tab_url(customer), {"reveal": key}).status_code == 404

    def test_entry_of_another_record(self, reader, user, customer, masked_entry):
        grant(user, "view_confidential_customer_ssn")
        other = Customer.objects.create(name="Other", ssn="111-22-3333")
        key = Entry.objects.get(entity_id=str(other.pk), entity_model="crm.customer").id
        assert reader.post(tab_url(customer), {"reveal": str(key)}).status_code == 404

    def test_anonymous_users_log_in_first(self, customer, masked_entry):
        assert Client().post(tab_url(customer), {"reveal": str(masked_entry.id)}).status_code == 302
