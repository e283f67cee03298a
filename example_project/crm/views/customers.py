"""Customers: the list, the details, the form, the archive and the History tab."""

from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_noop

from crm.confidential import hidden
from crm.forms import CustomerFilterForm, CustomerForm, TagForm
from crm.models import Customer
from crm.records import RECORD_TYPES
from crm.shown import Shown
from crm.views.pages import CompanyPage, CustomerPage
from django_customer_history import history
from django_customer_history.views import HistoryView

CUSTOMERS_ON_A_PAGE = 50

CONTRACT = ("contract_term", "monthly_rate", "monitoring_company", "monitoring_account")
SALE = ("sold_on", "sales_representative", "lead_source", "sale_price")
CONFIDENTIAL = ("ssn", "bank_account", "card_number")


class CustomerList(CompanyPage):
    """The customers that match the search and the status."""

    tab = "customers"

    def get(self, request):
        """Show a page of customers."""
        self.require("view", Customer)
        form = CustomerFilterForm(request.GET)
        found = form.filtered(self.company.customers.prefetch_related("tags"))
        page = Paginator(found, CUSTOMERS_ON_A_PAGE).get_page(request.GET.get("page"))
        may_add = self.may("add", Customer)
        return self.page("crm/customer_list.html", form=form, customers=page, may_add=may_add)


class CustomerDetails(CustomerPage):
    """The details of a customer."""

    tab = "Details"

    def get(self, request):
        """Show the details that the user may see."""
        kept_from_user = hidden(request.user, Customer)
        groups = {"contract": CONTRACT, "sale": SALE, "confidential": CONFIDENTIAL}
        return self.page(
            "crm/customer.html",
            **{
                title: [Shown.of(self.customer, name, kept_from_user) for name in names]
                for title, names in groups.items()
            },
            user_defined=list(_user_defined(self.company, self.customer, kept_from_user)),
            tab_types=[one for one in RECORD_TYPES if one.tab == self.tab],
            tag_form=TagForm(),
            other_tags=self.company.tags.exclude(customers=self.customer),
        )


class CustomerCreate(CompanyPage):
    """The form for a new customer."""

    tab = "customers"

    def get(self, request):
        """Show the form."""
        return self._edited(None)

    def post(self, request):
        """Add the customer, or show the errors."""
        return self._edited(request.POST)

    def _edited(self, data):
        self.require("add", Customer)
        customer = Customer(company=self.company)
        form = CustomerForm(data, instance=customer, user=self.request.user, company=self.company)
        if form.is_bound and form.is_valid():
            self.say(gettext("Customer added."))
            return redirect(form.save())
        return self.page("crm/customer_form.html", form=form)


class CustomerEdit(CustomerPage):
    """The form of a customer."""

    def get(self, request):
        """Show the form."""
        return self._edited(None)

    def post(self, request):
        """Save the customer, or show the errors."""
        return self._edited(request.POST)

    def _edited(self, data):
        self.require("change", Customer)
        form = CustomerForm(
            data, instance=self.customer, user=self.request.user, company=self.company
        )
        if form.is_bound and form.is_valid():
            self.say(gettext("Changes saved."))
            return redirect(form.save())
        return self.page("crm/customer_form.html", form=form)


class CustomerArchive(CustomerPage):
    """Archive or restore a customer."""

    is_archived = True

    def post(self, request):
        """Save the change. The registration has the name of the action."""
        self.require("change", Customer)
        self.customer.is_archived = self.is_archived
        self.customer.save()
        self.say(
            gettext("Customer archived.") if self.is_archived else gettext("Customer restored.")
        )
        return redirect(self.customer)


class CustomerTags(CustomerPage):
    """Add a tag to a customer. A new tag is created."""

    def post(self, request):
        """Add the tag."""
        self.require("change", Customer)
        form = TagForm(request.POST)
        if form.is_valid():
            tag, _ = self.company.tags.get_or_create(name=form.cleaned_data["name"])
            with history.action(gettext_noop("Tag Added")):
                self.customer.tags.add(tag)
            self.say(gettext("Tag %(tag)s added.") % {"tag": tag})
        return redirect(self.customer)


class CustomerTagRemoval(CustomerPage):
    """Remove a tag from a customer."""

    def post(self, request, tag_pk):
        """Remove the tag."""
        self.require("change", Customer)
        with history.action(gettext_noop("Tag Removed")):
            self.customer.tags.remove(tag_pk)
        self.say(gettext("Tag removed."))
        return redirect(self.customer)


class CustomerHistory(CompanyPage, HistoryView):
    """The History tab in the pages of the CRM, also for deleted customers."""

    tab = "History"
    model = Customer

    def setup(self, request, *args, pk, **kwargs):
        """Find the customer. A customer who never belonged to the company is a 404."""
        super().setup(request, *args, pk=pk, **kwargs)
        self.customer = Customer.objects.filter(pk=pk).first()
        company = _last_company(pk) if self.customer is None else self.customer.company_id
        if company != self.company.pk:
            raise Http404

    def dispatch(self, request, *args, **kwargs):
        """Check that the user may view customers."""
        self.require("view", Customer)
        return super().dispatch(request, *args, **kwargs)

    def get_template_names(self):
        """Return the template. A deleted customer has no other tabs."""
        if self.customer is None:
            return ["crm/deleted_customer_history.html"]
        return ["crm/customer_history.html"]

    def get_context_data(self, **kwargs):
        """Return the context of the tab and of all pages of a customer."""
        return {
            **super().get_context_data(**kwargs),
            **self.shared_context(),
            "customer": self.customer,
            "may_edit_customer": self.may("change", Customer),
        }


def _last_company(pk):
    """Return the company of a deleted customer, from the log."""
    last = history.entries_for(Customer, pk).of_entity(Customer, pk).first()
    if last is None or last.kind != "delete":
        return None
    return last.changes["company"][0]


def _user_defined(company, customer, hidden_fields):
    for defined in company.user_defined_fields.all():
        value = customer.udf.get(defined.key, "")
        mask = hidden_fields.get(f"udf.{defined.key}") or hidden_fields.get("udf")
        is_masked = bool(value and mask)
        yield Shown(
            label=defined.name,
            text=mask(value) if is_masked else value or "—",
            is_masked=is_masked,
        )
