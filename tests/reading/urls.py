"""The URLs of the tests, and viewsets of a project that have the history."""

from importlib.util import find_spec

from django.urls import include, path
from rest_framework import serializers, viewsets
from rest_framework.authentication import SessionAuthentication
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.routers import SimpleRouter
from rest_framework.throttling import UserRateThrottle

from django_customer_history.rest_framework.viewsets import HistoryMixin
from tests.projects.crm.models import Customer, Note
from tests.urls import urlpatterns as test_patterns


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ("id", "name")


class CustomerViewSet(HistoryMixin, viewsets.ModelViewSet):
    queryset = Customer.objects.exclude(name="Hidden from all users").order_by("pk")
    serializer_class = CustomerSerializer


class KindBackend(BaseFilterBackend):
    """A filter of the project with the same name as a filter of the history."""

    def filter_queryset(self, request, queryset, view):
        kind = request.query_params.get("kind")
        return queryset if kind is None else queryset.filter(status=kind)


class PagedViewSet(HistoryMixin, viewsets.ModelViewSet):
    """A viewset with pages, a filter, a throttle, and sessions as its only authentication."""

    queryset = Customer.objects.order_by("pk")
    serializer_class = CustomerSerializer
    authentication_classes = (SessionAuthentication,)
    filter_backends = (KindBackend,)
    pagination_class = LimitOffsetPagination
    renderer_classes = (BrowsableAPIRenderer, JSONRenderer)
    throttle_classes = (UserRateThrottle,)


class NoteViewSet(HistoryMixin, viewsets.ReadOnlyModelViewSet):
    """A viewset of a model that is not a subject, which is an error."""

    queryset = Note.objects.order_by("pk")
    serializer_class = CustomerSerializer


router = SimpleRouter()
router.register("customers", CustomerViewSet)
router.register("paged", PagedViewSet, basename="paged")
router.register("notes", NoteViewSet)

customer_urls = [one for one in router.urls if one.name.startswith("customer-")]
project = [path("project/", include(customer_urls))]
api = [path("api/history/", include("django_customer_history.rest_framework.urls"))]
urlpatterns = [
    *test_patterns,
    path("records/", include("django_customer_history.urls")),
    path("project/", include(router.urls)),
]
if find_spec("drf_spectacular") is not None:
    from drf_spectacular.views import SpectacularAPIView

    urlpatterns.append(
        path("schema/", SpectacularAPIView.as_view(patterns=api, urlconf=None)),
    )
