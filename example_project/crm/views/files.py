"""Files of a customer. They are sent as downloads, never shown in the site's own name."""

from django.contrib import messages
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404, redirect, render

from crm.forms import AttachmentForm
from crm.models import Customer


def files(request, pk):
    """List the files of a customer, and upload one."""
    customer = get_object_or_404(Customer, pk=pk)
    form = AttachmentForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.instance.content_object = customer
        form.instance.name = form.cleaned_data["file"].name
        form.save()
        messages.success(request, "File uploaded.")
        return redirect("files", pk)
    context = {"customer": customer, "tab": "files", "form": form}
    return render(request, "crm/files.html", context)


def download_file(request, pk, file_pk):
    """Send a file; 404 where the record is there but the file itself is not."""
    attachment = _attachment(pk, file_pk)
    try:
        content = attachment.file.open()
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(content, as_attachment=True, filename=attachment.name)


def delete_file(request, pk, file_pk):
    """Ask, then delete a file."""
    attachment = _attachment(pk, file_pk)
    if request.method == "POST":
        attachment.delete()
        attachment.file.delete(save=False)
        messages.success(request, "File deleted.")
        return redirect("files", pk)
    context = {
        "customer": attachment.content_object,
        "tab": "files",
        "record": attachment,
        "kind": "file",
    }
    return render(request, "crm/confirm_delete.html", context)


def _attachment(pk, file_pk):
    return get_object_or_404(get_object_or_404(Customer, pk=pk).files, pk=file_pk)
