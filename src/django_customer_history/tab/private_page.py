"""What the pages for one reader have in common."""

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views import View

from django_customer_history.exceptions import NotFoundError


class PrivatePage(View):
    """A page that browsers do not keep, and that hides what its reader may not see."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Redirect anonymous visitors to the login; answer 404 to users who may not see it."""
        try:
            response = super().dispatch(request, *args, **kwargs)
        except NotFoundError as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            raise Http404 from error
        response["Cache-Control"] = "private, no-store"
        return response
