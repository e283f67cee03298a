"""The History tab in the project's pages and in the admin."""

import re

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.html import strip_tags

from django_customer_history.models import ConfidentialField, Entry
from tests.projects.crm.models import Account, Customer, Invoice, Note, Tag
from tests.reading.conftest import grant
from tests.reading.tabs import REVEALING, chips, get_staff, shown

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


class TestTags:
    def tag(self, text, user, customer, path="/x"):
        request = RequestFactory().get(path)
        request.user = user
        context = Context({"request": request, "customer": customer})
        return Template("{% load customer_history %}" + text).render(context)

    def test_link_has_an_icon_and_a_label(self, reader, user, customer):
        Note.objects.create(customer=customer, text="t")
        link = self.tag("{% history_tab_link customer %}", user, customer)
        assert f'href="/records/crm.customer/{customer.pk}/"' in link
        assert "<svg" in link
        assert strip_tags(link).strip() == "History"
        assert "aria-current" not in link

    def test_the_link_to_the_current_page(self, reader, user, customer):
        link = self.tag('{% history_tab_link customer url="/x" %}', user, customer)
        assert 'href="/x" aria-current="page"' in link

    def test_the_link_needs_permission(self, stranger, customer, django_user_model):
        eve = django_user_model.objects.get(username="eve")
        assert self.tag("{% history_tab_link customer %}", eve, customer).strip() == ""

    def test_tab_exports_at_the_record_url(self, reader, user, customer, settings):
        settings.CUSTOMER_HISTORY = REVEALING
        grant(user, "view_confidential_customer_ssn")
        text = self.tag("{% history_tab customer %}", user, customer, "/x?colour=red&kind=create")
        records = f"/records/crm.customer/{customer.pk}/"
        assert f'href="{records}?kind=create&amp;format=csv"' in text
        assert f'action="{records}?kind=create"' in text
        assert "?colour=red&amp;kind=create&amp;request_id=" not in text
        assert "?colour=red&amp;entry=" in text
        assert reader.get(f"{records}?kind=create").status_code == 200

    def test_record_url_is_for_subjects(self, reader, customer):
        Invoice.objects.create(customer=customer, number="1")
        assert reader.get("/records/crm.invoice/1/").status_code == 404
        assert reader.get("/records/crm.nothing/1/").status_code == 404


class TestNoPermission:
    def test_page_says_what_is_missing(self, stranger, customer):
        answer = stranger.get(f"/customers/{customer.pk}/history/")
        assert answer.status_code == 403
        assert answer["Cache-Control"] == "private, no-store"
        assert "You do not have permission to view this history." in shown(answer)
        assert "Ask an administrator for access." in shown(answer)
        assert "Acme" not in answer.content.decode()
        assert answer.context["subject"] is None

    @pytest.mark.parametrize("query", ["?kind=nonsense", "?format=csv", "?entry=x", "?print=yes"])
    def test_parameters_change_nothing(self, stranger, customer, query):
        answer = stranger.get(f"/customers/{customer.pk}/history/{query}")
        assert answer.status_code == 403
        assert "You do not have permission to view this history." in shown(answer)

    def test_revealing_needs_permission(self, stranger, customer):
        answer = stranger.post(f"/customers/{customer.pk}/history/", {"reveal": "x"})
        assert answer.status_code == 403
        assert "You do not have permission to view this history." in shown(answer)


class TestOverriding:
    def test_project_replaces_a_block(self, reader, customer, settings, tmp_path):
        (tmp_path / "customer_history").mkdir()
        (tmp_path / "customer_history" / "entry.html").write_text(
            '{% extends "customer_history/entry.html" %}'
            '{% block user %}<td role="cell" rowspan="{{ rows }}">by {{ tab_user.name }}</td>'
            "{% endblock %}"
        )
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        text = reader.get(f"/customers/{customer.pk}/history/").content.decode()
        assert '<td role="cell" rowspan="1">by System</td>' in text
        assert "ch-user" not in text
        assert "ch-time" in text


class TestDeleted:
    def test_keeps_its_last_name(self, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(name="Acme Ltd")
        url = f"/customers/{customer.pk}/history/"
        customer.delete()
        answer = reader.get(url)
        assert answer.context["subject_label"] == "Acme Ltd"
        assert "<title>History · Acme Ltd</title>" in answer.content.decode()
        assert "History of Acme Ltd deleted" in shown(answer)
        # On paper too.
        assert "History of Acme Ltd" in shown(answer).partition("Printed by")[0][-40:]

    def test_masked_name_stays_masked(self, reader, customer):
        url = f"/customers/{customer.pk}/history/"
        ConfidentialField.objects.create(model="crm.customer", field="name")
        customer.delete()
        answer = reader.get(url)
        assert "Acme" not in answer.content.decode()
        assert answer.context["subject_label"] == "*****"

    def test_without_a_name_in_the_log(self, reader, user):
        grant(user, "view_account_history")
        account = Account.objects.create(label="x")
        url = f"/records/crm.account/{account.pk}/"
        account.delete()
        assert "History of a deleted record" in shown(reader.get(url))


class TestRecord:
    @pytest.fixture
    def entry(self, customer):
        return Entry.objects.get(subject_model="crm.customer", subject_id=str(customer.pk))

    def back(self, reader, entry):
        return reader.get(f"/records/record/{entry.id}/").context["history_url"]

    def test_links_to_its_entry_on_the_tab(self, reader, customer, entry):
        link = self.back(reader, entry)
        assert link == f"/records/crm.customer/{customer.pk}/?entry={entry.id}#ch-entry"
        assert f'href="{link}"' in reader.get(f"/records/record/{entry.id}/").content.decode()
        (entry,) = reader.get(link).context["history"].days[0].entries
        assert entry.is_target

    def test_links_to_the_url_of_the_model(self, reader, entry, monkeypatch):
        monkeypatch.setattr(Customer, "get_history_url", lambda self: "/x?a=b", raising=False)
        assert self.back(reader, entry) == f"/x?a=b&entry={entry.id}#ch-entry"

    def test_links_to_a_deleted_records_tab(self, reader, customer, entry):
        key = customer.pk
        customer.delete()
        link = f"/records/crm.customer/{key}/?entry={entry.id}#ch-entry"
        assert self.back(reader, entry) == link
        assert reader.get(link).status_code == 200

    def test_no_link_without_history_page(self, reader, customer, entry, settings):
        settings.ROOT_URLCONF = "tests.urls"
        page = reader.get(f"/customers/{customer.pk}/history/{entry.id}/")
        assert page.context["history_url"] is None
        assert "Back to history" not in page.content.decode()


class TestAdmin:
    @pytest.fixture
    def staff(self, reader, user):
        grant(user, "view_customer")
        get_staff(user)
        return reader

    def page(self, customer):
        return f"/admin/crm/customer/{customer.pk}/history/"

    def test_tab_replaces_djangos_history(self, staff, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="1.25")
        answer = staff.get(self.page(customer))
        assert "History of Acme" in shown(answer)
        assert "Rate was 39.99 is now 1.25" in shown(answer)
        assert "This object doesn" not in shown(answer)

    def test_filters_and_files_keep_the_url(self, staff, customer):
        answer = staff.get(self.page(customer) + "?kind=create")
        assert chips(answer) == [("Kind", "Create")]
        file = staff.get(answer.context["history"].export_link)
        assert file.getvalue().startswith(b"timestamp,")

    @pytest.mark.parametrize("missing", ["view_customer", "view_customer_history"])
    def test_both_permissions_are_needed(self, client, user, customer, missing):
        grant(user, *({"view_customer", "view_customer_history"} - {missing}))
        get_staff(user)
        client.force_login(user)
        assert client.get(self.page(customer)).status_code == 403

    def test_deleted_and_unknown_records(self, staff, customer):
        page = self.page(customer)
        customer.delete()
        assert "History: Acme" in shown(staff.get(page))
        assert staff.get("/admin/crm/customer/987654/history/").status_code == 404
        assert staff.get("/admin/crm/customer/x/history/").status_code == 404

    def test_no_inline_scripts_or_styles(self, staff, customer):
        customer.tags.add(Tag.objects.create(name="Vip"))
        text = staff.get(self.page(customer)).content.decode()
        tab = text[text.index('<section class="customer-history"') :]
        tab = tab[: tab.index("</section>")]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", tab)
