"""The URLs: the pages of the CRM, the API, the package's REST endpoints and the admin."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from rest_framework.routers import DefaultRouter

from crm.api import CustomerViewSet

router = DefaultRouter()
router.register("customers", CustomerViewSet)

urlpatterns = [
    path("", include("crm.urls")),
    path("log-in", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("log-out", auth.LogoutView.as_view(), name="logout"),
    path("api/history/", include("django_customer_history.rest_framework.urls")),
    path("api/", include(router.urls)),
    path("admin/", admin.site.urls),
]
