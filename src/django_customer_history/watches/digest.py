"""The e-mail digest of a watch, as text and as HTML."""

from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import gettext

from django_customer_history.exceptions import TargetError
from django_customer_history.labels import action_label
from django_customer_history.models import Watch
from django_customer_history.reading.entries import TimelineEntry


def send_digest(watch: Watch, owner: Any, entries: Sequence[TimelineEntry]) -> None:
    """Send the entries to the owner. Raise `TargetError` if there is no address."""
    address = getattr(owner, owner.get_email_field_name(), "")
    if not address:
        raise TargetError("The owner has no e-mail address.")
    context = {
        "watch": watch,
        "rows": [(action_label(entry.action), entry) for entry in entries],
    }
    subject = gettext("Changes for “%(name)s”") % {"name": watch.name}
    mail = EmailMultiAlternatives(
        " ".join(subject.split()),
        render_to_string("customer_history/watch_mail.txt", context),
        to=[address],
    )
    mail.attach_alternative(
        render_to_string("customer_history/watch_mail.html", context), "text/html"
    )
    mail.send()
