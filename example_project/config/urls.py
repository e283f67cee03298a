"""The URLs: the pages of the CRM, the API, the package's REST endpoints and the admin."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language
from rest_framework.routers import DefaultRouter

from crm.api import CustomerViewSet
from demo import people

router = DefaultRouter()
router.register("customers", CustomerViewSet, basename="customer")

log_in = auth.LoginView.as_view(
    redirect_authenticated_user=True,
    extra_context={
        "people": [person for person in people.PEOPLE if not person.is_program],
        "password": people.PASSWORD,
    },
)

urlpatterns = [
    path("log-in", log_in, name="login"),
    path("log-out", auth.LogoutView.as_view(), name="logout"),
    path("language", login_not_required(set_language), name="set_language"),
    path("api/history/", include("django_customer_history.rest_framework.urls")),
    path("history/", include("django_customer_history.urls")),
    path("api/", include(router.urls)),
    path("admin/", admin.site.urls),
    path("", include("crm.urls")),
]
