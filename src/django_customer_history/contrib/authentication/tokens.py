"""Django REST framework's endpoint for tokens, with an entry "Logged In"."""

from typing import Any

from rest_framework.authtoken import views
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response

from django_customer_history.contrib.authentication.events import record_authentication


class ObtainAuthToken(views.ObtainAuthToken):
    """Return the token of a user; use it in place of `rest_framework.authtoken.views`."""

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record the log-in. A failed one is recorded by Django's signal."""
        response = super().post(request, *args, **kwargs)
        token = Token.objects.select_related("user").get(key=response.data["token"])
        record_authentication("Logged In", token.user, by=token.user)
        return response
