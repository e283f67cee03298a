"""The secret with which the webhook of a watch is signed. It is derived, so nothing is stored."""

import base64

from django.utils.crypto import salted_hmac

from django_customer_history.models import Watch


def secret_of(watch: Watch) -> str:
    """Return the secret. It changes with the URL, the owner and the setting `SECRET_KEY`."""
    value = f"{watch.pk}/{watch.owner}/{watch.url}"
    digest = salted_hmac("customer_history.watch", value, algorithm="sha256").digest()
    return f"whsec_{base64.b64encode(digest).decode()}"
