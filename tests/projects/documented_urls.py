"""The addresses that the templates of the documents take for granted."""

from django.urls import include, path

from tests.projects.crm import views
from tests.urls import urlpatterns as of_the_tests

urlpatterns = [
    path("customers/<int:pk>/", views.page, name="customer"),
    path("history/", include("django_customer_history.urls")),
    *of_the_tests,
]
