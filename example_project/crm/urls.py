"""The URLs of the pages."""

from django.urls import include, path
from django.views.generic import RedirectView

from crm.views import customers, files, invoices, notes, tags

pages_of_a_customer = [
    path("edit", customers.edit_customer, name="edit_customer"),
    path("archive", customers.archive_customer, name="archive_customer"),
    path("restore", customers.restore_customer, name="restore_customer"),
    path("history", customers.customer_history, name="customer_history"),
    path("tags", tags.add_tag, name="add_tag"),
    path("tags/<int:tag_pk>/remove", tags.remove_tag, name="remove_tag"),
    path("notes", notes.notes, name="notes"),
    path("notes/<int:note_pk>/edit", notes.edit_note, name="edit_note"),
    path("notes/<int:note_pk>/delete", notes.delete_note, name="delete_note"),
    path("invoices", invoices.invoices, name="invoices"),
    path("invoices/new", invoices.new_invoice, name="new_invoice"),
    path("invoices/<int:invoice_pk>", invoices.invoice, name="invoice"),
    path("invoices/<int:invoice_pk>/payments", invoices.add_payment, name="add_payment"),
    path("files", files.files, name="files"),
    path("files/<int:file_pk>", files.download_file, name="download_file"),
    path("files/<int:file_pk>/delete", files.delete_file, name="delete_file"),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="customers")),
    path("customers", customers.customer_list, name="customers"),
    path("customers/new", customers.create_customer, name="create_customer"),
    path("customers/<int:pk>", customers.customer, name="customer"),
    path("customers/<int:pk>/", include(pages_of_a_customer)),
]
