from django.contrib import admin
from django.contrib.auth import authenticate, login
from django.contrib.auth import views as auth
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import include, path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenObtainSlidingView

from django_customer_history.contrib.authentication.tokens import ObtainAuthToken
from django_customer_history.contrib.authentication.views import (
    PasswordResetConfirmView,
    PasswordResetView,
)


def log_in(request):
    user = authenticate(request, **request.POST.dict())
    if user is None:
        return HttpResponse(status=401)
    login(request, user)
    return HttpResponse(status=204)


def refuse(request):
    raise PermissionDenied


urlpatterns = [
    path("admin/", admin.site.urls),
    path("log-in/", log_in),
    path("log-out/", auth.LogoutView.as_view(next_page="/")),
    path("refused/", refuse),
    path("token/", ObtainAuthToken.as_view()),
    path("jwt/", TokenObtainPairView.as_view()),
    path("sliding/", TokenObtainSlidingView.as_view()),
    path("reset/", PasswordResetView.as_view(success_url="/")),
    path(
        "reset/<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(success_url="/"),
        name="password_reset_confirm",
    ),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
]
