"""Base classes of the pages: pages of a company, and pages of one of its customers.

Pages of another company are a 404. Pages of the user's company without permission are a 403. The
middleware redirects anonymous visitors to the login.
"""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.views.generic import View

from crm.companies import company_key_of
from crm.models import Company, Customer


class CompanyPage(View):
    """A page of one company."""

    tab = ""

    def setup(self, request, *args, company, **kwargs):
        """Find the company. Another company than the user's is a 404."""
        super().setup(request, *args, **kwargs)
        if not request.user.is_superuser and company != company_key_of(request.user):
            raise Http404
        self.company = get_object_or_404(Company, pk=company)

    def dispatch(self, request, *args, **kwargs):
        """Remove the company from the arguments: it is an attribute."""
        kwargs.pop("company", None)
        return super().dispatch(request, *args, **kwargs)

    def require(self, verb, model):
        """Raise `PermissionDenied` unless the user may do it: `view`, `add`, `change`, `delete`."""
        if not self.may(verb, model):
            raise PermissionDenied

    def may(self, verb, model):
        """Return whether the user may `view`, `add`, `change` or `delete` records of the model."""
        meta = model._meta
        return self.request.user.has_perm(f"{meta.app_label}.{verb}_{meta.model_name}")

    def page(self, template, **context):
        """Return the page."""
        return render(self.request, template, {**self.shared_context(), **context})

    def shared_context(self):
        """Return the context of all templates."""
        return {"company": self.company, "tab": self.tab}

    def say(self, text):
        """Show a message on the next page."""
        messages.success(self.request, text)


class CustomerPage(CompanyPage):
    """A page of one customer of the company."""

    def setup(self, request, *args, pk, **kwargs):
        """Find the customer. A customer of another company is a 404."""
        super().setup(request, *args, **kwargs)
        self.customer = get_object_or_404(Customer, pk=pk, company=self.company)

    def dispatch(self, request, *args, **kwargs):
        """Remove the key from the arguments, and check that the user may view customers."""
        kwargs.pop("pk", None)
        self.require("view", Customer)
        return super().dispatch(request, *args, **kwargs)

    def shared_context(self):
        """Return the context of all templates."""
        return {
            **super().shared_context(),
            "customer": self.customer,
            "may_edit_customer": self.may("change", Customer),
        }
