"""The secrets with which the webhook of a watch is signed. They are derived: nothing is stored."""

import base64

from django.conf import settings
from django.utils.crypto import salted_hmac

from django_customer_history.models import Watch


def secrets_of(watch: Watch) -> list[str]:
    """Return the secret of today, and those of before that are still valid.

    A secret changes with the URL, the owner and the setting `SECRET_KEY`. Each key in
    `SECRET_KEY_FALLBACKS` keeps the secret that it made.
    """
    value = f"{watch.pk}/{watch.owner}/{watch.url}"
    digests = [
        salted_hmac("customer_history.watch", value, secret=key, algorithm="sha256").digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
    return [f"whsec_{base64.b64encode(digest).decode()}" for digest in digests]
