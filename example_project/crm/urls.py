"""The URLs of the pages, by company and customer."""

from django.urls import include, path

from crm.views import companies, customers, invoices, profiles, records

pages_of_a_customer = [
    path("edit", customers.CustomerEdit.as_view(), name="edit_customer"),
    path("archive", customers.CustomerArchive.as_view(), name="archive_customer"),
    path("restore", customers.CustomerArchive.as_view(is_archived=False), name="restore_customer"),
    path("history", customers.CustomerHistory.as_view(), name="customer_history"),
    path("tags", customers.CustomerTags.as_view(), name="add_tag"),
    path("tags/<int:tag_pk>/remove", customers.CustomerTagRemoval.as_view(), name="remove_tag"),
    path("invoices", invoices.InvoiceList.as_view(), name="invoices"),
    path("invoices/new", invoices.InvoiceCreate.as_view(), name="new_invoice"),
    path("invoices/<int:invoice_pk>", invoices.InvoiceDetails.as_view(), name="invoice"),
    path("invoices/<int:invoice_pk>/edit", invoices.InvoiceEdit.as_view(), name="edit_invoice"),
    path(
        "invoices/<int:invoice_pk>/payments/<int:payment_pk>/edit",
        invoices.PaymentEdit.as_view(),
        name="edit_payment",
    ),
    path("files/<int:record_pk>/download", records.FileDownload.as_view(), name="download_file"),
    path("<slug:kind>", records.RecordList.as_view(), name="records"),
    path("<slug:kind>/<int:record_pk>", records.RecordDetails.as_view(), name="record"),
    path("<slug:kind>/<int:record_pk>/edit", records.RecordEdit.as_view(), name="edit_record"),
    path(
        "<slug:kind>/<int:record_pk>/delete", records.RecordDelete.as_view(), name="delete_record"
    ),
    path(
        "<slug:kind>/<int:record_pk>/<slug:step>", records.RecordStep.as_view(), name="record_step"
    ),
]

pages_of_a_company = [
    path("customers", customers.CustomerList.as_view(), name="customers"),
    path("customers/new", customers.CustomerCreate.as_view(), name="create_customer"),
    path("customers/<int:pk>", customers.CustomerDetails.as_view(), name="customer"),
    path("customers/<int:pk>/", include(pages_of_a_customer)),
    path("fields", companies.Fields.as_view(), name="fields"),
    path("fields/<int:field_pk>/edit", companies.FieldEdit.as_view(), name="edit_field"),
    path("jobs", companies.Jobs.as_view(), name="jobs"),
    path("jobs/<slug:job>", companies.Jobs.as_view(), name="run_job"),
]

urlpatterns = [
    path("", companies.home, name="home"),
    path("profile", profiles.Profile.as_view(), name="profile"),
    path("<slug:company>/", include(pages_of_a_company)),
]
