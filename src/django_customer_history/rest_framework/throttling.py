"""The throttles of the history. Each applies if `DEFAULT_THROTTLE_RATES` has its scope."""

from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class HistoryThrottle(SimpleRateThrottle):
    """Limits the requests of a user to the rate "customer_history", if it is set."""

    scope = "customer_history"

    def get_rate(self) -> str | None:
        """Return the project's rate for the scope; None: no limit."""
        rates: dict[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
        return rates.get(self.scope)

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Return the key to count by: the user, or the IP address of an anonymous client."""
        identity = request.user.pk if request.user.is_authenticated else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": identity}


class HistoryExportThrottle(HistoryThrottle):
    """Limits the exports of a user to the rate "customer_history_export", if it is set."""

    scope = "customer_history_export"
