"""The pages and the REST API of the project."""

from django.urls import include, path

urlpatterns = [
    path("history/", include("django_customer_history.urls")),
    path("api/history/", include("django_customer_history.rest_framework.urls")),
]
