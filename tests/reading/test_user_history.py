"""The page of one user: what this person changed, in all records that the reader may see."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.html import strip_tags

from django_customer_history import history
from django_customer_history.models import ConfidentialField
from django_customer_history.views import UserHistoryView
from tests.projects.crm.models import Account, Customer, Note
from tests.reading.conftest import grant
from tests.reading.tabs import chips, shown

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def bea(django_user_model):
    return django_user_model.objects.create_user("bea")


@pytest.fixture
def work(bea, customer):
    """Two records of two customers and one that readers of customers may not see, by one user."""
    other = Customer.objects.create(name="Other Ltd")
    with history.acting(user=bea):
        Note.objects.create(customer=customer, text="one call")
        Note.objects.create(customer=other, text="two calls")
        Account.objects.create(label="private")
    Note.objects.create(customer=customer, text="by nobody")
    return other


def page(user):
    return f"/records/user/{user.pk}/"


class TestPage:
    def test_shows_the_changes_of_one_user(self, reader, bea, work, customer):
        answer = reader.get(page(bea))
        found = answer.context["page"].entries
        assert [one.changes[-1].new for one in found] == ["two calls", "one call"]
        assert "Changes by bea" in shown(answer)
        for name in ("Other Ltd", "Acme"):
            assert name in shown(answer)
        link = f'<a class="ch-subject" href="/records/crm.customer/{customer.pk}/">'
        assert link in answer.content.decode()
        for hidden in ("private", "by nobody"):
            assert hidden not in answer.content.decode()

    def test_user_of_templates_is_reader(self, reader, user, bea, work):
        assert reader.get(page(bea)).context["user"] == user

    def test_keyword_may_be_named_person(self, rf, user, bea, work, customer):
        grant(user, "view_customer_history")
        request = rf.get("/x")
        request.user = user
        view = UserHistoryView.as_view(user_url_kwarg="person")
        assert view(request, person=bea.pk).context_data["person"] == "bea"

    def test_filters_within_the_user(self, reader, user, bea, work, customer):
        query = f"?q=one call&user={user.pk}"
        answer = reader.get(page(bea) + query)
        assert [one.changes[-1].new for one in answer.context["page"].entries] == ["one call"]
        assert chips(answer) == [("Search", "one call")]
        menus = [one.name for one in answer.context["history"].filter_bar.menus]
        assert menus == ["action", "entity", "field", "source"]
        assert reader.get(page(bea) + "?kind=x").status_code == 400

    def test_deleted_customer_leads_to_history(self, reader, bea, work):
        key = work.pk
        with history.acting(user=bea):
            work.delete()
        answer = reader.get(page(bea))
        assert f'href="/records/crm.customer/{key}/"' in answer.content.decode()
        assert "Other Ltd" in shown(answer)

    def test_masks_hold(self, reader, bea, work):
        ConfidentialField.objects.create(model="crm.note", field="text", mask="full")
        ConfidentialField.objects.create(model="crm.customer", field="name")
        text = reader.get(page(bea)).content.decode()
        for hidden in ("one call", "two calls", "Acme", "Other Ltd"):
            assert hidden not in text

    def test_empty_for_an_idle_user(self, reader, user, customer):
        answer = reader.get(page(user))
        assert answer.status_code == 200
        assert "Changes by ann" in shown(answer)
        assert "No changes yet." in shown(answer)


class TestAccess:
    def test_without_permission(self, stranger, bea, work):
        answer = stranger.get(page(bea))
        assert answer.status_code == 403
        assert "bea" not in answer.content.decode()
        assert "one call" not in answer.content.decode()
        assert answer["Cache-Control"] == "private, no-store"

    def test_anonymous_visitors_log_in(self, client, bea):
        assert client.get(page(bea)).url.startswith("/log-in/?next=")

    def test_unknown_user(self, reader, customer):
        assert reader.get("/records/user/987654/").status_code == 404


class TestLinks:
    def tag(self, user, subject):
        request = RequestFactory().get("/x")
        request.user = user
        source = "{% load customer_history %}{% user_history_link person %}"
        return Template(source).render(Context({"request": request, "person": subject}))

    def test_tag_links_to_the_page(self, user, bea):
        grant(user, "view_customer_history")
        assert f'href="{page(bea)}"' in self.tag(user, bea)
        assert strip_tags(self.tag(user, bea)).strip() == "History"

    def test_tag_is_empty_without_permission(self, user, bea):
        assert self.tag(user, bea).strip() == ""
        assert self.tag(user, None).strip() == ""

    def test_tag_needs_the_page(self, user, bea, settings):
        settings.ROOT_URLCONF = "tests.urls"
        with pytest.raises(ImproperlyConfigured, match="needs the page of a user"):
            self.tag(user, bea)

    def test_from_a_filter_by_user(self, reader, bea, work, customer):
        url = f"/customers/{customer.pk}/history/"
        answer = reader.get(f"{url}?user={bea.pk}")
        assert f'href="{page(bea)}">All changes by this user</a>' in answer.content.decode()
        for query in ("", "?user=system", f"?user={bea.pk}&user=system"):
            assert "All changes by this user" not in shown(reader.get(url + query))
