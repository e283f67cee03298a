"""Requests that another site starts record nothing in the name of the user."""

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from tests.reading.tabs import get_staff

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Referer": "http://testserver/"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Referer": "https://evil.example/page"},
    {"Referer": "https://testserver.evil.example/"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Referer": "http://testserver/"},
    {"Sec-Fetch-Site": "none"},
    {"Referer": "http://testserver/customers/1/history/"},
    {"Origin": "https://testserver"},
]


def urls(customer):
    return (
        f"/customers/{customer.pk}/history/?format=csv",
        f"/records/crm.customer/{customer.pk}/?format=csv",
        f"/admin/crm/customer/{customer.pk}/history/?format=csv",
        "/api/history/export/?format=csv",
        f"/api/history/subjects/crm.customer/{customer.pk}/export/",
    )


@pytest.fixture
def staff(user, customer):
    get_staff(user)
    user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


class TestExports:
    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_another_site_is_refused(self, headers, staff, customer, log):
        log.clear()
        for url in urls(customer):
            assert staff.get(url, headers=headers).status_code == 403
        assert log.entries() == []

    @pytest.mark.parametrize("headers", OWN, ids=str)
    def test_own_pages_and_programs(self, headers, staff, customer, log):
        log.clear()
        for url in urls(customer):
            answer = staff.get(url, headers=headers)
            assert answer.status_code == 200
            assert b"Acme" in answer.getvalue()
        assert {entry.action for entry in log.entries()} == {"History Exported"}

    def test_page_says_why(self, staff, customer):
        answer = staff.get(urls(customer)[0], headers={"Sec-Fetch-Site": "cross-site"})
        text = answer.content.decode()
        assert "Another site started this download." in text
        assert 'href="?"' in text

    def test_trusted_origins(self, staff, customer, settings):
        settings.CSRF_TRUSTED_ORIGINS = ["https://app.example.com", "https://*.example.org"]
        headers = {"Sec-Fetch-Site": "cross-site", "Referer": "https://app.example.com/x"}
        assert staff.get(urls(customer)[0], headers=headers).status_code == 200
        headers = {"Sec-Fetch-Site": "cross-site", "Referer": "https://a.example.org/"}
        assert staff.get(urls(customer)[0], headers=headers).status_code == 200

    def test_token_is_not_a_cookie(self, staff, user, customer):
        headers = {
            "Authorization": f"Token {Token.objects.create(user=user).key}",
            "Sec-Fetch-Site": "cross-site",
            "Origin": "https://app.example.com",
        }
        answer = Client().get("/api/history/export/?format=csv", headers=headers)
        assert answer.status_code == 200

    def test_other_pages_can_be_linked(self, staff, customer):
        url = f"/customers/{customer.pk}/history/"
        assert staff.get(url, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


class TestReveal:
    def test_page_needs_a_csrf_token(self, staff, user, customer, log):
        """Also in a project without Django's middleware."""
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        log.clear()
        entry = customer.pk
        answer = client.post(f"/customers/{entry}/history/", {"reveal": "x"})
        assert answer.status_code == 403
        assert log.entries() == []
