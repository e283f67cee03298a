"""The releases of django-hijack and django-impersonate, through real requests."""

import pytest
from django.conf import settings as configured
from django.contrib.auth.signals import user_logged_in
from django.test import Client
from hijack.signals import hijack_started

from django_customer_history import history
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer, Tag

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.contrib.impersonation_urls"),
]

*BEFORE, HISTORY = configured.MIDDLEWARE


@pytest.fixture
def people(django_user_model, customer):
    create = django_user_model.objects.create_superuser
    return {name: create(name, password="pw") for name in ("ann", "bob", "cleo")}


@pytest.fixture
def client(people):
    client = Client()
    client.force_login(people["ann"])
    return client


def logged(log, model="crm.customer"):
    """Return the labels of user and impersonator for each entry of the model."""
    found = []
    for entry in log.entries():
        if entry.entity_model == model:
            impersonator = (entry.context or {}).get("impersonator")
            found.append((entry.user_label, impersonator and impersonator["label"]))
    return found


class TestHijack:
    @pytest.fixture(autouse=True)
    def _installed(self, settings):
        path = "django_customer_history.contrib.hijack.impersonator"
        settings.CUSTOMER_HISTORY = {"IMPERSONATOR_RESOLVER": path}
        settings.MIDDLEWARE = [*BEFORE, "hijack.middleware.HijackUserMiddleware", HISTORY]

    def acquire(self, client, user):
        return client.post("/hijack/acquire/", {"user_pk": user.pk})

    def test_from_start_to_end(self, client, people, customer, log):
        url = f"/customers/{customer.pk}/"
        client.post(url, {"name": "1"})
        self.acquire(client, people["bob"])
        client.post(url, {"name": "2"})
        client.patch(f"/api{url}", {"name": "3"}, content_type="application/json")
        client.post("/hijack/release/")
        client.post(url, {"name": "4"})
        assert logged(log) == [("ann", None), ("bob", "ann"), ("bob", "ann"), ("ann", None)]
        (hijacked, *_) = [one for one in log.entries() if one.changes.get("name") == ["1", "2"]]
        assert hijacked.context["impersonator"] == {"id": str(people["ann"].pk), "label": "ann"}

    def test_chain_of_hijacks(self, client, people, customer, log):
        url = f"/customers/{customer.pk}/"
        self.acquire(client, people["bob"])
        self.acquire(client, people["cleo"])
        client.post(url, {"name": "1"})
        client.post("/hijack/release/")
        client.post(url, {"name": "2"})
        client.post("/hijack/release/")
        client.post(url, {"name": "3"})
        assert logged(log) == [("cleo", "ann"), ("bob", "ann"), ("ann", None)]

    def test_writes_of_the_login(self, client, people, log):
        def note(**kwargs):
            Tag.objects.create(name="t")

        user_logged_in.connect(note)
        hijack_started.connect(note)
        try:
            self.acquire(client, people["bob"])
            client.post("/hijack/release/")
        finally:
            user_logged_in.disconnect(note)
            hijack_started.disconnect(note)
        assert logged(log, "crm.tag") == [("bob", "ann"), ("bob", "ann"), ("ann", None)]

    def test_deleted_hijacker(self, client, people, customer, log):
        self.acquire(client, people["bob"])
        key = str(people["ann"].pk)
        people["ann"].delete()
        client.post(f"/customers/{customer.pk}/", {"name": "1"})
        assert logged(log) == [("bob", key)]


class TestImpersonate:
    @pytest.fixture(autouse=True)
    def _installed(self, settings):
        path = "django_customer_history.contrib.impersonate.impersonator"
        settings.CUSTOMER_HISTORY = {"IMPERSONATOR_RESOLVER": path}
        settings.IMPERSONATE = {"ALLOW_SUPERUSER": True, "REDIRECT_URL": "/"}

    @pytest.fixture(params=["before", "after"])
    def _in_either_order(self, request, settings):
        middleware = "impersonate.middleware.ImpersonateMiddleware"
        orders = {"before": [middleware, HISTORY], "after": [HISTORY, middleware]}
        settings.MIDDLEWARE = [*BEFORE, *orders[request.param]]

    @pytest.mark.usefixtures("_in_either_order")
    def test_from_start_to_end(self, client, people, customer, log):
        url = f"/customers/{customer.pk}/"
        client.post(url, {"name": "1"})
        client.get(f"/impersonate/{people['bob'].pk}/")
        client.post(url, {"name": "2"})
        client.patch(f"/api{url}", {"name": "3"}, content_type="application/json")
        client.get("/impersonate/stop/")
        client.post(url, {"name": "4"})
        assert logged(log) == [("ann", None), ("bob", "ann"), ("bob", "ann"), ("ann", None)]


class TestShown:
    def test_over_rest_and_in_python(self, people, customer):
        with history.acting(user=people["bob"], impersonator=people["ann"]):
            Customer.objects.update(name="x")
        client = Client()
        client.force_login(people["cleo"])
        (entry, *_) = client.get("/api/history/").json()["results"]
        ann = {"id": str(people["ann"].pk), "name": "ann"}
        assert (entry["user"]["name"], entry["impersonator"]) == ("bob", ann)
        (shown, *_) = Timeline.of_everything(people["cleo"]).page().entries
        assert (shown.user.label, shown.impersonator.label) == ("bob", "ann")
