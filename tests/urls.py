from django.contrib import admin
from django.urls import include, path

from django_customer_history.views import HistoryView, RecordAsOfView
from tests.projects.crm import views
from tests.projects.crm.models import Customer

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/history/", include("django_customer_history.rest_framework.urls")),
    path("api/customers/<int:pk>/", views.CustomerAPIView.as_view()),
    path("api/partners/customers/<int:pk>/", views.PartnerAPIView.as_view()),
    path("customers/<int:pk>/", views.rename),
    path("customers/<int:pk>/execute/", views.execute),
    path("customers/<int:pk>/async/", views.rename_async),
    path("customers/<int:pk>/read/", views.read),
    path("customers/<int:pk>/read/async/", views.read_async),
    path("customers/<int:pk>/page/", views.page),
    path("customers/<int:pk>/history/", HistoryView.as_view(model=Customer), name="history"),
    path(
        "customers/<int:pk>/history/<uuid:entry>/",
        RecordAsOfView.as_view(model=Customer),
        name="customer-record",
    ),
    path("customers/<int:pk>/stream/", views.stream),
    path("customers/<int:pk>/stream/async/", views.stream_async),
    path("customers/<int:pk>/wait/", views.wait_forever),
    path("customers/<int:pk>/task/", views.send_task),
    path("customers/<int:pk>/task/async/", views.send_task_async),
    path("customers/<int:pk>/enqueue/", views.enqueue),
    path("customers/<int:pk>/enqueue/async/", views.enqueue_async),
    path("claims/<int:pk>/", views.assess),
    path("log-in/", views.log_in),
    path("log-in/async/", views.log_in_async),
    path("log-out/", views.log_out),
    path("log-out/async/", views.log_out_async),
    path("sign-up/", views.sign_up),
]
