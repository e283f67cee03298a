"""Tags of a customer."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from crm.forms import TagForm
from crm.models import Customer, Tag


@require_POST
def add_tag(request, pk):
    """Mark a customer with a tag, a new one if need be."""
    customer = get_object_or_404(Customer, pk=pk)
    form = TagForm(request.POST)
    if form.is_valid():
        tag, _ = Tag.objects.get_or_create(name=form.cleaned_data["name"])
        customer.tags.add(tag)
        messages.success(request, f"Tag {tag} added.")
    else:
        messages.error(request, "A tag needs a name of up to 40 characters.")
    return redirect(customer)


@require_POST
def remove_tag(request, pk, tag_pk):
    """Take a tag off a customer."""
    customer = get_object_or_404(Customer, pk=pk)
    tag = get_object_or_404(Tag, pk=tag_pk)
    customer.tags.remove(tag)
    messages.success(request, f"Tag {tag} removed.")
    return redirect(customer)
