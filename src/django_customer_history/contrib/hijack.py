"""django-hijack: the real user while somebody acts as another user.

CUSTOMER_HISTORY = {"IMPERSONATOR_RESOLVER": "django_customer_history.contrib.hijack.impersonator"}
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest

from django_customer_history.context.resolved import NamedUser

_SESSION_KEY = "hijack_history"


def impersonator(request: HttpRequest) -> Any:
    """Return the user who hijacked the request's user, or None.

    In a chain of hijacks it is the first user, who logged in. A deleted user has the key as name.
    """
    session = getattr(request, "session", None)
    chain = None if session is None else session.get(_SESSION_KEY)
    if not chain:
        return _hijacker_at_login(request)
    model = get_user_model()
    found = model._base_manager.filter(pk=model._meta.pk.to_python(chain[0])).first()
    return found or NamedUser(id=str(chain[0]), label=str(chain[0]))


def _hijacker_at_login(request: HttpRequest) -> Any:
    # During the request that logs in as the other user, the session has no chain yet.
    match = request.resolver_match
    if match is None or (match.app_name, match.url_name) != ("hijack", "acquire"):
        return None
    before = getattr(request, "_cached_user", None)
    user = getattr(request, "user", None)
    return before if before is not None and user is not None and before.pk != user.pk else None
