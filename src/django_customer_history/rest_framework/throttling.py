"""Throttles of their own: `DEFAULT_THROTTLE_RATES` may name their scopes, or not."""

from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class HistoryThrottle(SimpleRateThrottle):
    """Limits the reading of a user at the rate called "customer_history", if there is one."""

    scope = "customer_history"

    def get_rate(self) -> str | None:
        """Return the host's rate for the scope, None: no limit."""
        rates: dict[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
        return rates.get(self.scope)

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Return what is counted: the requests of one user, or of one address."""
        identity = request.user.pk if request.user.is_authenticated else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": identity}


class HistoryExportThrottle(HistoryThrottle):
    """Limits exports at the rate called "customer_history_export", if there is one."""

    scope = "customer_history_export"
