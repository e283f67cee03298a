from django.urls import include, path

from crm.models import Customer
from django_customer_history.views import HistoryView

urlpatterns = [
    path("api/history/", include("django_customer_history.rest_framework.urls")),
    path("customers/<int:pk>/history/", HistoryView.as_view(model=Customer)),
]
