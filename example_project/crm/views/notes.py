"""Notes of a customer."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render

from crm.forms import NoteForm
from crm.models import Customer, Note


def notes(request, pk):
    """List the notes of a customer, and add one."""
    customer = get_object_or_404(Customer, pk=pk)
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.customer, form.instance.author = customer, request.user
        form.save()
        messages.success(request, "Note added.")
        return redirect("notes", pk)
    context = {
        "customer": customer,
        "tab": "notes",
        "form": form,
        "notes": customer.notes.select_related("author"),
    }
    return render(request, "crm/notes.html", context)


def edit_note(request, pk, note_pk):
    """Change the text of a note."""
    note = get_object_or_404(Note, pk=note_pk, customer=pk)
    form = NoteForm(request.POST or None, instance=note)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Note changed.")
        return redirect("notes", pk)
    context = {"customer": note.customer, "tab": "notes", "form": form}
    return render(request, "crm/note_form.html", context)


def delete_note(request, pk, note_pk):
    """Ask, then delete a note."""
    note = get_object_or_404(Note, pk=note_pk, customer=pk)
    if request.method == "POST":
        note.delete()
        messages.success(request, "Note deleted.")
        return redirect("notes", pk)
    context = {"customer": note.customer, "tab": "notes", "record": note, "kind": "note"}
    return render(request, "crm/confirm_delete.html", context)
