"""Django's pages that reset a password, with entries in the log. Django sends no signal for it.

Use them in place of those of `django.contrib.auth.views`, before its URLs::

    path("password_reset/", PasswordResetView.as_view(), name="password_reset"),
    path("reset/<uidb64>/<token>/", PasswordResetConfirmView.as_view(), ...),
"""

from typing import Any

from django.contrib.auth import views
from django.http import HttpResponse

from django_customer_history.contrib.authentication.events import (
    record_attempt,
    record_authentication,
)


class PasswordResetView(views.PasswordResetView):
    """Send the link, and record "Password Reset Requested" with the address as it was given."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Record each user who gets the link; without one, the address alone."""
        address = form.cleaned_data["email"]
        names = [user.get_username() for user in form.get_users(address)]
        for name in names or [address]:
            record_attempt("Password Reset Requested", name)
        return super().form_valid(form)


class PasswordResetConfirmView(views.PasswordResetConfirmView):
    """Set the new password, and record "Password Reset"."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Record the user whom the link is for."""
        response = super().form_valid(form)
        record_authentication("Password Reset", self.user, by=self.user)
        return response
