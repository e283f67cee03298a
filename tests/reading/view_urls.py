from django.contrib import admin
from django.urls import include, path
from django.views.generic import DetailView
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from django_customer_history.rest_framework.viewsets import ViewLogViewSetMixin
from django_customer_history.views import HistoryView, ViewLogMixin
from tests.projects.crm.models import Customer


class CustomerPage(ViewLogMixin, DetailView):
    model = Customer
    template_name = "customer_page.html"
    viewed_fields = ("name", "ssn")


class CustomerSerializer(ModelSerializer):
    class Meta:
        model = Customer
        fields = ("name",)


class CustomerViewSet(ViewLogViewSetMixin, ModelViewSet):
    queryset = Customer.objects.order_by("pk")
    serializer_class = CustomerSerializer


router = SimpleRouter()
router.register("api/customers", CustomerViewSet)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/history/", include("django_customer_history.rest_framework.urls")),
    path("customers/<int:pk>/", CustomerPage.as_view()),
    path("customers/<int:pk>/history/", HistoryView.as_view(model=Customer), name="history"),
    *router.urls,
]
