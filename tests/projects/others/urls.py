from django.apps import apps
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("history/", include("django_customer_history.urls")),
]
if apps.is_installed("ninja"):
    from tests.projects.others.api import api

    urlpatterns.append(path("api/", api.urls))
