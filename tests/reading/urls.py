"""The URLs of the tests, and a viewset of the host's with the history on it."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers, viewsets
from rest_framework.routers import SimpleRouter

from django_customer_history.rest_framework.viewsets import HistoryMixin
from tests.crm.models import Customer
from tests.urls import urlpatterns as of_the_tests


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ("id", "name")


class CustomerViewSet(HistoryMixin, viewsets.ModelViewSet):
    queryset = Customer.objects.exclude(name="Kept from everybody").order_by("pk")
    serializer_class = CustomerSerializer


router = SimpleRouter()
router.register("customers", CustomerViewSet)

api = [path("api/history/", include("django_customer_history.rest_framework.urls"))]
urlpatterns = [
    *of_the_tests,
    path("host/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(patterns=api, urlconf=None)),
]
