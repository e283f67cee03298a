from django.urls import include, path

from tests.projects.crm import views

urlpatterns = [
    path("customers/<int:pk>/", views.rename),
    path("customers/<int:pk>/read/", views.read),
    path("api/customers/<int:pk>/", views.CustomerAPIView.as_view()),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
    path("api/history/", include("django_customer_history.rest_framework.urls")),
]
