"""Log-ins, log-outs, failures, resets and impersonations, through real requests."""

import re
from http import HTTPStatus

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as configured
from django.contrib.auth import authenticate
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.db import connection
from django.test import AsyncClient, Client, override_settings

from django_customer_history.contrib.authentication import events
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import Registry, registration_of

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.contrib.authentication_urls"),
]

OURS = "django_customer_history.contrib.authentication"
*BEFORE, HISTORY = configured.MIDDLEWARE


@pytest.fixture(autouse=True)
def _switched_on(settings, monkeypatch):
    settings.CUSTOMER_HISTORY = {"AUTHENTICATION_EVENTS": True}
    settings.MIDDLEWARE = [
        *BEFORE,
        HISTORY,
        f"{OURS}.middleware.PermissionDeniedMiddleware",
        "hijack.middleware.HijackUserMiddleware",
        "impersonate.middleware.ImpersonateMiddleware",
    ]
    settings.SIMPLE_JWT = {
        "TOKEN_OBTAIN_SERIALIZER": f"{OURS}.simplejwt.TokenObtainPairSerializer",
        "SLIDING_TOKEN_OBTAIN_SERIALIZER": f"{OURS}.simplejwt.TokenObtainSlidingSerializer",
        "AUTH_TOKEN_CLASSES": ["rest_framework_simplejwt.tokens.SlidingToken"],
        "SIGNING_KEY": "k" * 32,
    }
    monkeypatch.setattr(events, "_rate_limit", events.RateLimit())


@pytest.fixture
def logged(log, user):
    """Return action, entity and user of each event since the user was created."""
    log.clear()

    def read():
        return [
            (one.action, one.entity_label or one.entity_id, one.user_label)
            for one in log.entries()
            if one.kind == "event"
        ]

    return read


def post(path, **data):
    return Client().post(path, data, REMOTE_ADDR="203.0.113.9")


class TestSessions:
    def test_from_log_in_to_log_out(self, user, logged, log):
        client = Client()
        client.post("/log-in/", {"username": "ann", "password": "pw"}, REMOTE_ADDR="203.0.113.9")
        client.post("/log-out/")
        client.post("/log-out/")
        assert logged() == [("Logged In", "ann", "ann"), ("Logged Out", "ann", "ann")]
        entry = next(one for one in log.entries() if one.action == "Logged In")
        assert (entry.entity_model, entry.entity_id) == ("auth.user", str(user.pk))
        assert (entry.source, entry.ip_address) == ("web", "203.0.113.9")
        assert (entry.subject_model, entry.changes) == (None, {})

    def test_on_the_tab_of_a_subject(self, user, logged, log, monkeypatch):
        fresh = Registry()
        fresh.add(registration_of(User, subject="self", label="username"))
        monkeypatch.setattr(events, "registry", fresh)
        Client().force_login(user)
        assert log.only().subject_id == str(user.pk)

    def test_off_by_default(self, user, logged, settings):
        settings.CUSTOMER_HISTORY = {}
        Client().force_login(user)
        post("/log-in/", username="ann", password="wrong")
        assert logged() == []

    @pytest.mark.django_db(transaction=True)
    def test_async_client(self, user, logged):
        async_to_sync(AsyncClient().aforce_login)(user)
        assert logged() == [("Logged In", "ann", "ann")]


class TestFailures:
    def test_of_a_user(self, user, logged, log):
        post("/log-in/", username="ann", password="wr0ng-secret")
        assert logged() == [("Log-in Failed", "ann", None)]
        entry = log.only()
        assert (entry.entity_model, entry.ip_address) == ("auth.user", "203.0.113.9")
        assert "wr0ng" not in str(vars(entry))

    def test_of_an_unknown_name(self, logged, log):
        post("/log-in/", username="nobody\U0001f600", password="x")
        entry = log.only()
        assert (entry.entity_model, entry.entity_id) == (
            "customer_history.log_in",
            "nobody\U0001f600",
        )
        assert entry.changes == {"username": [None, "nobody\U0001f600"]}

    def test_long_name(self, logged, log):
        post("/token/", username="x" * 3000, password="x")
        assert log.only().entity_id == "x" * 255

    def test_stays_after_a_rollback(self, user, logged, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        assert post("/token/", username="ann", password="wrong").status_code == (
            HTTPStatus.BAD_REQUEST
        )
        assert logged() == [("Log-in Failed", "ann", None)]

    def test_flood(self, user, logged, settings, log, monkeypatch):
        settings.CUSTOMER_HISTORY = {
            "AUTHENTICATION_EVENTS": True,
            "AUTHENTICATION_EVENT_LIMIT": 3,
        }
        now = 1000.0
        monkeypatch.setattr(events.time, "monotonic", lambda: now)
        for _ in range(10):
            post("/log-in/", username="ann", password="wrong")
        assert len(logged()) == 3
        now += 61
        post("/log-in/", username="ann", password="wrong")
        assert log.entries()[-1].changes == {"not_logged": [None, "7"]}

    def test_without_a_request(self, user, logged):
        assert authenticate(username="ann", password="wrong") is None
        assert logged() == [("Log-in Failed", "ann", None)]

    def test_reader_sees_the_name(self, logged, log):
        post("/log-in/", username="nobody", password="x")
        reader = User.objects.create_user("reader")
        reader.user_permissions.add(Permission.objects.get(codename="view_entry"))
        entry = Timeline.of_everything(reader).entry(log.entries()[0].id)
        assert entry.changes[0].new_display == "nobody"


class TestTokens:
    @pytest.mark.parametrize("path", ["/token/", "/jwt/", "/sliding/"])
    def test_log_in(self, user, logged, log, path):
        assert post(path, username="ann", password="pw").status_code == HTTPStatus.OK
        assert logged() == [("Logged In", "ann", "ann")]
        assert log.entries()[-1].source == "api"

    @pytest.mark.parametrize("path", ["/token/", "/jwt/", "/sliding/"])
    def test_failure(self, user, logged, path):
        assert post(path, username="ann", password="no").status_code >= HTTPStatus.BAD_REQUEST
        assert logged() == [("Log-in Failed", "ann", None)]


class TestPasswordReset:
    def test_from_request_to_new_password(self, user, logged):
        user.email = "ann@example.com"
        user.save()
        client = Client()
        client.post("/reset/", {"email": "ann@example.com"})
        link = re.search(r"/reset/[^/\s]+/[^/\s]+/", mail.outbox[0].body)[0]
        form = client.get(link, follow=True).redirect_chain[-1][0]
        client.post(form, {"new_password1": "n3w-Secret!", "new_password2": "n3w-Secret!"})
        assert logged() == [
            ("Password Reset Requested", "ann", None),
            ("Password Reset", "ann", "ann"),
        ]

    def test_of_an_unknown_address(self, user, logged):
        Client().post("/reset/", {"email": "no@example.com"})
        assert logged() == [("Password Reset Requested", "no@example.com", None)]


class TestRefusedRequests:
    def test_permission_denied(self, user, logged, log):
        client = Client()
        with override_off():
            client.force_login(user)
        log.clear()
        assert client.get("/refused/?token=1").status_code == HTTPStatus.FORBIDDEN
        entry = log.only()
        assert (entry.action, entry.user_label) == ("Permission Denied", "ann")
        assert entry.changes == {"method": [None, "GET"], "path": [None, "/refused/"]}

    @pytest.mark.django_db(transaction=True)
    def test_async(self, user, logged):
        response = async_to_sync(AsyncClient().get)("/refused/")
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert logged() == [("Permission Denied", "anonymous", None)]


def override_off():
    return override_settings(CUSTOMER_HISTORY={})


class TestImpersonation:
    def admin(self):
        root = User.objects.create_superuser("root", password="pw")
        client = Client()
        with override_off():
            client.force_login(root)
        return client

    def test_hijack(self, user, logged):
        client = self.admin()
        client.post("/hijack/acquire/", {"user_pk": user.pk})
        client.post("/hijack/release/")
        assert logged() == [
            ("Impersonation Started", "ann", "root"),
            ("Impersonation Ended", "ann", "root"),
        ]

    def test_impersonate(self, user, logged):
        client = self.admin()
        client.get(f"/impersonate/{user.pk}/")
        client.get("/impersonate/stop/")
        assert logged() == [
            ("Impersonation Started", "ann", "root"),
            ("Impersonation Ended", "ann", "root"),
        ]
