"""Watches: saved filters, delivered with the permissions and masks of their owner."""

from io import StringIO

import django
import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import translation

from django_customer_history.models import Entry, Watch
from django_customer_history.watches import delivery
from django_customer_history.watches.secrets import secrets_of
from tests.contrib.servers import receiver
from tests.projects.crm.models import Customer, Referral
from tests.reading.conftest import HIDDEN, grant
from tests.servers.ports import free_port

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.reading.urls"),
]


@pytest.fixture
def owner(user, reader):
    user.email = "ann@example.com"
    user.save()
    return user


@pytest.fixture
def watch(owner, customer):
    """Save a watch by the page, as a reader does."""

    def save(query="", client=None, status=302, **answers):
        client = client or Client()
        client.force_login(owner)
        url = f"/records/watches/add/crm.customer/{customer.pk}/{query}"
        response = client.post(url, {"name": "Mine", "delivery": "email", **answers})
        assert response.status_code == status, response.content.decode()
        return Watch.objects.last()

    return save


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("history_watch", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def unreachable_mail_server():
    """Return a block in which mail goes to a port where nothing listens."""
    backend, port = "django.core.mail.backends.smtp.EmailBackend", free_port()
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": port}
        return override_settings(MAILERS={"default": {"BACKEND": backend, "OPTIONS": options}})
    return override_settings(EMAIL_BACKEND=backend, EMAIL_HOST="127.0.0.1", EMAIL_PORT=port)


class TestMail:
    def test_sends_what_matches_once(self, watch, customer):
        watch("?field=name")
        Customer.objects.update(name="Acme <b>")
        Customer.objects.update(rate=1)
        out, _err = run()
        assert out.endswith("(Mine) sent 1 entries.\n")
        run()
        (sent,) = mail.outbox
        assert sent.to == ["ann@example.com"]
        assert "Acme → Acme <b>" in sent.body
        assert "Acme &lt;b&gt;" in sent.alternatives[0][0]

    def test_nothing_from_before(self, watch, customer):
        watch()
        run()
        assert mail.outbox == []

    def test_dry_run_changes_nothing(self, watch, customer):
        position = watch().position
        Customer.objects.update(name="B")
        out, _err = run("--dry-run")
        assert out.endswith("(Mine) would send 1 entries.\n")
        assert mail.outbox == []
        assert Watch.objects.get().position == position

    def test_backend_may_raise_anything(self, watch, customer, monkeypatch):
        class Broken(Exception):  # noqa: N818 - as a package names it
            pass

        def send(message, fail_silently=False):
            raise Broken

        watch()
        customer.name = "Beta"
        customer.save()
        monkeypatch.setattr("django.core.mail.message.EmailMessage.send", send)
        with pytest.raises(CommandError, match="1 of the watches failed"):
            run()
        assert Watch.objects.get().problem.startswith("The last delivery failed.")

    def test_language_of_the_owner(self, watch, customer):
        with translation.override("de"):
            saved = watch()
        assert saved.language == "de"
        Customer.objects.update(name="B")
        run()
        assert mail.outbox[0].subject.startswith("Änderungen")
        User.objects.update(is_active=False)
        run()
        assert Watch.objects.get().problem.startswith("Der Besitzer")

    def test_change_with_two_subjects(self, owner, customer):
        grant(owner, "view_referral", "view_entry")
        other = Customer.objects.create(name="Other")
        client = Client()
        client.force_login(owner)
        answers = {"name": "All", "delivery": "email"}
        assert client.post("/records/watches/add/?kind=create", answers).status_code == 302
        Referral.objects.create(seller=customer, buyer=other)
        assert Entry.objects.filter(entity_model="crm.referral").count() == 2
        assert run()[0].endswith("(All) sent 1 entries.\n")

    def test_full_digest_goes_on(self, watch, customer, monkeypatch):
        monkeypatch.setattr(delivery, "MOST_IN_A_DIGEST", 2)
        watch()
        for name in "BCD":
            Customer.objects.update(name=name)
        run()
        run()
        assert ["B → C" in one.body for one in mail.outbox] == [True, False]
        assert "C → D" in mail.outbox[1].body

    def test_failed_mail_is_sent_later(self, watch, customer):
        watch()
        Customer.objects.update(name="B")
        with (
            unreachable_mail_server(),
            pytest.raises(CommandError, match="1 of the watches failed"),
        ):
            run()
        assert Watch.objects.get().problem.startswith("The last delivery failed.")
        run()
        assert len(mail.outbox) == 1
        assert Watch.objects.get().problem == ""


class TestConditions:
    @pytest.mark.parametrize(
        ("old", "new", "count"),
        [
            ("", "> 100", 1),
            ("", "> 250.5", 0),
            ("< 100", "", 1),
            ("", "= 250.00", 1),
            ("= 9", "= 250.00", 0),
        ],
    )
    def test_compares_numbers(self, watch, customer, old, new, count):
        watch(field="rate", old_condition=old, new_condition=new)
        Customer.objects.update(rate=250)
        Customer.objects.update(name="B")
        run()
        assert len(mail.outbox) == count

    def test_masked_value_never_matches(self, watch, customer, owner):
        watch(field="ssn", new_condition="= 987-65-4321")
        Customer.objects.update(ssn="987-65-4321")
        run()
        assert mail.outbox == []
        grant(owner, "view_confidential_customer_ssn")
        Watch.objects.update(position=None)
        run()
        assert "987-65-4321" in mail.outbox[0].body

    def test_masked_change_is_sent_masked(self, watch, customer):
        watch(field="ssn")
        Customer.objects.update(ssn="987-65-4321")
        run()
        assert "987-65" not in mail.outbox[0].body + mail.outbox[0].alternatives[0][0]

    def test_mail_has_no_hidden_values(self, watch, confidential_customer):
        watch()
        Watch.objects.update(subject_model="", subject_id="", position=None)
        run()
        text = mail.outbox[0].body + mail.outbox[0].alternatives[0][0]
        assert "moves" in text
        assert [hidden for hidden in HIDDEN if hidden in text] == []

    def test_wrong_answers_are_refused(self, watch):
        for answers in (
            {"field": "name", "new_condition": "about 5"},
            {"field": "name", "new_condition": "> many"},
            {"new_condition": "= 5"},
            {"field": "nmae"},
            {"delivery": "webhook"},
            {"delivery": "webhook", "url": "http://example.com/"},
            {"url": "https://example.com/"},
        ):
            watch(status=400, **answers)
        assert not Watch.objects.exists()


class TestOwner:
    def test_inactive_owner_gets_nothing(self, watch, customer, owner):
        watch()
        owner.is_active = False
        owner.save()
        Customer.objects.update(name="B")
        _out, err = run()
        assert "skipped: The owner is inactive or deleted." in err
        assert mail.outbox == []

    def test_lost_permission_gets_nothing(self, watch, customer, owner):
        position = watch().position
        owner.user_permissions.clear()
        Customer.objects.update(name="B")
        _out, err = run()
        assert "skipped: The owner may not read" in err
        assert mail.outbox == []
        assert Watch.objects.get().position == position

    def test_broken_filter_others_go_on(self, watch, customer):
        watch()
        Watch.objects.update(query="colour=red")
        watch()
        Customer.objects.update(name="B")
        with pytest.raises(CommandError, match="1 of the watches failed"):
            run()
        assert len(mail.outbox) == 1
        assert "colour" in Watch.objects.first().problem


class TestWebhook:
    def test_signed_and_once(self, watch, customer, monkeypatch):
        standardwebhooks = pytest.importorskip("standardwebhooks")
        saved = watch(delivery="webhook", url="https://example.com/hook")
        with receiver() as (kept, url):
            # The page takes public addresses only.
            monkeypatch.setattr(delivery, "ALLOWS_PRIVATE", True)
            Watch.objects.update(url=url)
            saved.refresh_from_db()
            Customer.objects.update(name="B")
            run()
            run()
        ((headers, body),) = kept.requests
        message = standardwebhooks.Webhook(secrets_of(saved)[0]).verify(body, headers)
        assert message["changes"][0]["new"] == "B"

    def test_replaced_secret_key(self, watch, customer, monkeypatch, settings):
        standardwebhooks = pytest.importorskip("standardwebhooks")
        saved = watch(delivery="webhook", url="https://example.com/hook")
        with receiver() as (kept, url):
            monkeypatch.setattr(delivery, "ALLOWS_PRIVATE", True)
            Watch.objects.update(url=url)
            saved.refresh_from_db()
            (former,) = secrets_of(saved)
            settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
            settings.SECRET_KEY = "another"
            Customer.objects.update(name="B")
            run()
        ((headers, body),) = kept.requests
        secrets = secrets_of(saved)
        assert secrets[1] == former != secrets[0]
        for secret in secrets:
            standardwebhooks.Webhook(secret).verify(body, headers)

    @pytest.mark.parametrize("statuses", [[500] * 5, [410]], ids=["five runs", "gone"])
    def test_disabled_after_failures(self, watch, reader, customer, monkeypatch, statuses):
        pytest.importorskip("standardwebhooks")
        saved = watch(delivery="webhook", url="https://example.com/hook")
        Customer.objects.update(name="B")
        with receiver() as (kept, url):
            monkeypatch.setattr(delivery, "ALLOWS_PRIVATE", True)
            Watch.objects.update(url=url)
            kept.statuses = list(statuses)
            runs = len(statuses)
            for number in range(runs):
                assert not Watch.objects.get().is_disabled, number
                with pytest.raises(CommandError, match="1 of the watches failed"):
                    run()
            assert run() == ("", "")
            assert len(kept.requests) == runs
            entry = Entry.objects.get(action="Webhook Disabled")
            assert (entry.entity_model, entry.entity_id, dict(entry.changes)) == (
                "customer_history.watch",
                str(saved.pk),
                {"problem": [None, f"The webhook answered with status {statuses[-1]}."]},
            )
            assert "Enable" in reader.get("/records/watches/").content.decode()
            assert reader.post(f"/records/watches/{saved.pk}/enable/").status_code == 302
            run()
        assert len(kept.requests) == runs + 1
        enabled = Watch.objects.get()
        assert (enabled.failures, enabled.is_disabled, enabled.problem) == (0, False, "")

    def test_others_cannot_enable(self, watch, stranger):
        saved = watch()
        Watch.objects.update(is_disabled=True)
        assert stranger.post(f"/records/watches/{saved.pk}/enable/").status_code == 404
        assert Watch.objects.get().is_disabled

    def test_private_address_is_refused(self, watch, customer):
        pytest.importorskip("standardwebhooks")
        watch(delivery="webhook", url="https://127.0.0.1/hook")
        Customer.objects.update(name="B")
        with pytest.raises(CommandError):
            run()
        assert "127.0.0.1" not in Watch.objects.get().problem

    def test_needs_the_export_permission(self, watch, owner):
        owner.user_permissions.remove(Permission.objects.get(codename="export_customer_history"))
        watch(status=400, delivery="webhook", url="https://example.com/hook")


class TestPages:
    def test_tab_has_the_button(self, reader, customer):
        page = reader.get(f"/records/crm.customer/{customer.pk}/?kind=update")
        link = f"/records/watches/add/crm.customer/{customer.pk}/?kind=update"
        assert f'href="{link}"' in page.content.decode()
        form = reader.get(link)
        assert form.status_code == 200
        back = f'href="/records/crm.customer/{customer.pk}/?kind=update"'
        assert back in form.content.decode()

    def test_lists_and_deletes_own_ones(self, watch, reader, stranger, customer):
        saved = watch("?kind=update")
        page = reader.get("/records/watches/").content.decode()
        assert f'href="/records/crm.customer/{customer.pk}/?kind=update"' in page
        assert "kind: <bdi>update</bdi>" in page
        assert "Mine" not in stranger.get("/records/watches/").content.decode()
        delete = f"/records/watches/{saved.pk}/delete/"
        assert stranger.post(delete).status_code == 404
        assert reader.get(delete).status_code == 405
        assert reader.post(delete).status_code == 302
        assert not Watch.objects.exists()

    def test_needs_the_permission(self, stranger, client, customer):
        url = f"/records/watches/add/crm.customer/{customer.pk}/"
        assert stranger.post(url, {"name": "x", "delivery": "none"}).status_code == 403
        assert client.get(url).status_code == 302
        assert client.get("/records/watches/").status_code == 302

    def test_needs_the_token(self, owner, customer):
        client = Client(enforce_csrf_checks=True)
        client.force_login(owner)
        url = f"/records/watches/add/crm.customer/{customer.pk}/"
        assert client.post(url, {"name": "x", "delivery": "none"}).status_code == 403
        assert not Watch.objects.exists()

    def test_invalid_filter_is_not_found(self, reader, customer):
        url = f"/records/watches/add/crm.customer/{customer.pk}/?kind=nonsense"
        assert reader.get(url).status_code == 404

    def test_admin_shows_but_changes_none(self, watch, admin_client):
        saved = watch()
        assert "Mine" in admin_client.get("/admin/customer_history/watch/").content.decode()
        url = f"/admin/customer_history/watch/{saved.pk}/change/"
        assert admin_client.get(url).status_code == 200
        assert admin_client.post(url, {"name": "Other"}).status_code == 403
        assert admin_client.get("/admin/customer_history/watch/add/").status_code == 403
