"""Customers: the list, the details, the form, the archive and the History tab."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from crm.confidential import confidential_values
from crm.forms import CustomerFilterForm, CustomerForm, TagForm
from crm.models import Customer, Tag
from django_customer_history import history
from django_customer_history.views import HistoryView


def customer_list(request):
    """List the customers that fit search and status."""
    form = CustomerFilterForm(request.GET)
    customers = form.customers().prefetch_related("tags")
    return render(request, "crm/customer_list.html", {"form": form, "customers": customers})


def customer(request, pk):
    """Show the details of a customer."""
    found = get_object_or_404(Customer, pk=pk)
    context = {
        "customer": found,
        "tab": "details",
        "confidential": list(confidential_values(found, request.user)),
        "tag_form": TagForm(),
        "other_tags": Tag.objects.exclude(customers=found),
    }
    return render(request, "crm/customer.html", context)


def create_customer(request):
    """Add a customer."""
    return _edited(request, Customer(), "Customer added.")


def edit_customer(request, pk):
    """Change the details of a customer."""
    return _edited(request, get_object_or_404(Customer, pk=pk), "Changes saved.")


@require_POST
def archive_customer(request, pk):
    """Put a customer away: out of the list, but not out of the records."""
    return _archived(request, pk, action="Customer Archived", is_archived=True)


@require_POST
def restore_customer(request, pk):
    """Bring a customer back from the archive."""
    return _archived(request, pk, action="Customer Restored", is_archived=False)


def customer_history(request, pk):
    """Show the History tab of a customer; of a deleted one, what is known of it."""
    found = Customer.objects.filter(pk=pk).first()
    if found is None:
        return deleted_customer_history(request, pk=pk)
    context = {"customer": found, "tab": "history"}
    return render(request, "crm/customer_history.html", context)


deleted_customer_history = HistoryView.as_view(
    model=Customer, template_name="crm/deleted_customer_history.html"
)


def _edited(request, instance, message):
    form = CustomerForm(request.POST or None, instance=instance, user=request.user)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        messages.success(request, message)
        return redirect(saved)
    return render(request, "crm/customer_form.html", {"form": form, "customer": instance})


def _archived(request, pk, *, action, is_archived):
    found = get_object_or_404(Customer, pk=pk)
    with history.action(action):
        found.is_archived = is_archived
        found.save()
    messages.success(request, f"{action}.")
    return redirect(found)
