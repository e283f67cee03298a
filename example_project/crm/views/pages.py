"""What all pages share: they belong to a company, most of them to one of its customers.

A company that is not the user's own, and what belongs to it, is a 404. What the user may not do
within the company is a 403. The middleware sends who is not logged in to the log-in.
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
        """Find the company; 404 for the users of others."""
        super().setup(request, *args, **kwargs)
        if not request.user.is_superuser and company != company_key_of(request.user):
            raise Http404
        self.company = get_object_or_404(Company, pk=company)

    def dispatch(self, request, *args, **kwargs):
        """Drop the company from the arguments: it is an attribute."""
        kwargs.pop("company", None)
        return super().dispatch(request, *args, **kwargs)

    def require(self, verb, model):
        """Answer with 403 unless the user may `view`, `add`, `change` or `delete` such records."""
        if not self.may(verb, model):
            raise PermissionDenied

    def may(self, verb, model):
        """Return whether the user may `view`, `add`, `change` or `delete` such records."""
        meta = model._meta
        return self.request.user.has_perm(f"{meta.app_label}.{verb}_{meta.model_name}")

    def page(self, template, **context):
        """Return the page."""
        return render(self.request, template, {**self.shared_context(), **context})

    def shared_context(self):
        """Return what all templates get."""
        return {"company": self.company, "tab": self.tab}

    def say(self, text):
        """Show a message on the next page."""
        messages.success(self.request, text)


class CustomerPage(CompanyPage):
    """A page of one customer of the company."""

    def setup(self, request, *args, pk, **kwargs):
        """Find the customer; 404 for one of another company."""
        super().setup(request, *args, **kwargs)
        self.customer = get_object_or_404(Customer, pk=pk, company=self.company)

    def dispatch(self, request, *args, **kwargs):
        """Drop the key from the arguments, and ask whether customers may be seen at all."""
        kwargs.pop("pk", None)
        self.require("view", Customer)
        return super().dispatch(request, *args, **kwargs)

    def shared_context(self):
        """Return what all templates get."""
        return {
            **super().shared_context(),
            "customer": self.customer,
            "may_edit_customer": self.may("change", Customer),
        }
