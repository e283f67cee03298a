"""The history of archived records in the admin: those that the default manager hides."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path

from django_customer_history.admin import HistoryAdminMixin
from django_customer_history.models import Entry
from tests.projects.crm.models import Dealer
from tests.reading.conftest import grant
from tests.reading.tabs import get_staff, shown
from tests.reading.urls import urlpatterns as other_patterns

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


class DealerAdmin(HistoryAdminMixin, admin.ModelAdmin):
    """An admin that limits nothing."""


class LimitedAdmin(DealerAdmin):
    """An admin that shows each user only some records."""

    def get_queryset(self, request):
        return super().get_queryset(request).filter(name__startswith="A")


class OpenedAdmin(LimitedAdmin):
    """One that opens the history of archived records, with the same limit."""

    def get_history_queryset(self, request):
        return Dealer._base_manager.filter(name__startswith="A")


class PickyAdmin(DealerAdmin):
    """An admin with permissions for single records."""

    def has_view_permission(self, request, obj=None):
        return obj is None or obj.name == "Open"

    has_change_permission = has_view_permission


ADMINS = {"free": DealerAdmin, "limited": LimitedAdmin, "opened": OpenedAdmin, "picky": PickyAdmin}


def site_of(name):
    site = admin.AdminSite(name=name)
    site.register(Dealer, ADMINS[name])
    return site


urlpatterns = [*other_patterns, *(path(f"{name}/", site_of(name).urls) for name in ADMINS)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def staff(user):
    get_staff(user)
    grant(user, "view_dealer", "view_dealer_history", "export_dealer_history")
    client = Client()
    client.force_login(user)
    return client


def archived(name):
    dealer = Dealer.objects.create(name=name)
    Dealer.objects.filter(pk=dealer.pk).update(is_archived=True)
    return dealer


def url(dealer, site="free"):
    return f"/{site}/crm/dealer/{dealer.pk}/history/"


class TestArchived:
    def test_history_is_shown(self, staff):
        dealer = archived("Acme")
        answer = staff.get(url(dealer))
        assert answer.status_code == 200
        assert "History of Acme" in shown(answer)
        assert "Is archived was No is now Yes" in shown(answer)
        # Its own page does not exist in the admin.
        assert f"/free/crm/dealer/{dealer.pk}/change/" not in answer.content.decode()

    def test_others_keep_their_link(self, staff):
        dealer = Dealer.objects.create(name="Acme")
        page = staff.get(url(dealer)).content.decode()
        assert f"/free/crm/dealer/{dealer.pk}/change/" in page

    def test_csv(self, staff):
        dealer = archived("Acme")
        answer = staff.get(f"{url(dealer)}?format=csv")
        assert b"Acme" in answer.getvalue()
        assert Entry.objects.filter(action="History Exported").count() == 1

    def test_unknown_and_deleted(self, staff):
        dealer = archived("Acme")
        Dealer._base_manager.filter(pk=dealer.pk).delete()
        assert "History: Acme" in shown(staff.get(url(dealer)))
        assert staff.get("/free/crm/dealer/987654/history/").status_code == 404


class TestPermissions:
    @pytest.mark.parametrize("missing", ["view_dealer", "view_dealer_history"])
    def test_both_are_needed(self, user, missing):
        get_staff(user)
        grant(user, *({"view_dealer", "view_dealer_history"} - {missing}))
        client = Client()
        client.force_login(user)
        answer = client.get(url(archived("Acme")))
        assert answer.status_code == 403
        assert "Acme" not in answer.content.decode()

    def test_limits_of_the_admin(self, staff):
        """A queryset of the admin can limit what a user sees: it is not passed by."""
        for name in ("Acme", "Bolt"):
            dealer = archived(name)
            for query in ("", "?format=csv"):
                answer = staff.get(url(dealer, "limited") + query)
                assert answer.status_code == 404
                assert name not in answer.content.decode()
        assert staff.get(url(Dealer.objects.create(name="Able"), "limited")).status_code == 200

    def test_admin_opens_them(self, staff):
        assert "History of Acme" in shown(staff.get(url(archived("Acme"), "opened")))
        assert staff.get(url(archived("Bolt"), "opened")).status_code == 404

    def test_of_single_records(self, staff):
        assert staff.get(url(archived("Open"), "picky")).status_code == 200
        assert staff.get(url(archived("Shut"), "picky")).status_code == 404

    def test_of_backends(self, staff, settings):
        settings.AUTHENTICATION_BACKENDS = [MODEL_BACKEND, "tests.reading.backends.TenantBackend"]
        assert staff.get(url(archived("Acme"))).status_code == 200
        assert staff.get(url(archived("Theirs"))).status_code == 404
