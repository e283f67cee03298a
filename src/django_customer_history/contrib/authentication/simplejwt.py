"""djangorestframework-simplejwt: an entry "Logged In" when a pair of tokens is handed out.

SIMPLE_JWT = {
    "TOKEN_OBTAIN_SERIALIZER":
        "django_customer_history.contrib.authentication.simplejwt.TokenObtainPairSerializer",
}
"""

from typing import Any

from rest_framework_simplejwt import serializers

from django_customer_history.contrib.authentication.events import record_authentication


class TokenObtainPairSerializer(serializers.TokenObtainPairSerializer):
    """Records who gets an access and a refresh token."""

    def validate(self, attrs: dict[str, Any]) -> Any:
        """Return the tokens. A failed log-in is recorded by Django's signal."""
        tokens = super().validate(attrs)
        record_authentication("Logged In", self.user, by=self.user)
        return tokens


class TokenObtainSlidingSerializer(serializers.TokenObtainSlidingSerializer):
    """Records who gets a sliding token."""

    def validate(self, attrs: dict[str, Any]) -> Any:
        """Return the token. A failed log-in is recorded by Django's signal."""
        token = super().validate(attrs)
        record_authentication("Logged In", self.user, by=self.user)
        return token
