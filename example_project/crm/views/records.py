"""The pages of all kinds of records, from the table in `crm.records`."""

from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404, redirect
from django.utils.text import capfirst
from django.utils.translation import gettext

from crm.confidential import hidden
from crm.models import Attachment
from crm.records import BY_KIND, RECORD_TYPES
from crm.shown import Shown, shown_fields
from crm.views.pages import CustomerPage


class RecordsPage(CustomerPage):
    """A page of the records of one kind."""

    def setup(self, request, *args, kind, **kwargs):
        """Find the kind."""
        self.type = BY_KIND.get(kind)
        if self.type is None:
            raise Http404
        self.tab = self.type.tab
        super().setup(request, *args, **kwargs)

    def dispatch(self, request, *args, **kwargs):
        """Remove the kind from the arguments, and check that the user may view its records."""
        kwargs.pop("kind", None)
        self.require("view", self.type.model)
        return super().dispatch(request, *args, **kwargs)

    def records(self):
        """Return the customer's records of the kind."""
        return getattr(self.customer, self.type.related)

    def record(self, pk):
        """Return a record, with its customer set."""
        return get_object_or_404(self.records().all(), pk=pk)

    def form(self, form_class, **options):
        """Return a form, with the data of a POST request."""
        return form_class(
            self.request.POST or None,
            self.request.FILES or None,
            user=self.request.user,
            company=self.company,
            **options,
        )

    def say_done(self, button):
        """Show a message that the work of a button is done."""
        self.say(gettext("%(button)s: done.") % {"button": button})

    def shared_context(self):
        """Return the context of all templates."""
        model = self.type.model
        return {
            **super().shared_context(),
            "type": self.type,
            "name": capfirst(self.type.name),
            "tab_types": [one for one in RECORD_TYPES if one.tab == self.tab],
            **{f"may_{verb}": self.may(verb, model) for verb in ("add", "change", "delete")},
        }


class RecordList(RecordsPage):
    """The records of one kind, with a form to add one."""

    def get(self, request):
        """Show the records."""
        return self._page(self.form(self.type.add_form))

    def post(self, request):
        """Add a record."""
        self.require("add", self.type.model)
        form = self.form(self.type.add_form)
        if not form.is_valid():
            return self._page(form)
        record = form.save(commit=False)
        if self.type.author:
            setattr(record, self.type.author, request.user)
        self.records().add(record, bulk=False)
        form.save_m2m()
        self.say_done(self.type.adds)
        return redirect(request.path)

    def _page(self, form):
        records = self.records().all()
        kept_from_user = hidden(self.request.user, self.type.model)
        rows = [
            (record, [Shown.of(record, name, kept_from_user) for name in self.type.columns])
            for record in records
        ]
        return self.page(self.type.list_template, form=form, rows=rows, records=records)


class RecordDetails(RecordsPage):
    """One record, with its buttons."""

    def get(self, request, record_pk):
        """Show the record."""
        record = self.record(record_pk)
        kept_from_user = hidden(request.user, self.type.model)
        return self.page(
            "crm/record.html",
            record=record,
            fields=shown_fields(record, kept_from_user),
            steps=self.type.steps_of(record),
        )


class RecordEdit(RecordsPage):
    """The form of one record."""

    def get(self, request, record_pk):
        """Show the form."""
        return self._edited(record_pk)

    def post(self, request, record_pk):
        """Save the record, or show the errors."""
        return self._edited(record_pk)

    def _edited(self, record_pk):
        self.require("change", self.type.model)
        if self.type.edit_form is None:
            raise Http404
        record = self.record(record_pk)
        form = self.form(self.type.edit_form, instance=record)
        if form.is_bound and form.is_valid():
            form.save()
            self.say(gettext("Changes saved."))
            return redirect(record)
        title = gettext("Edit %(record)s") % {"record": self.type.name}
        return self.page("crm/record_form.html", form=form, record=record, title=title)


class RecordStep(RecordsPage):
    """A button of a record: it changes the record, or shows a form first."""

    def get(self, request, record_pk, step):
        """Show the form of the button."""
        return self._taken(record_pk, step)

    def post(self, request, record_pk, step):
        """Change the record."""
        return self._taken(record_pk, step)

    def _taken(self, record_pk, path):
        self.require("change", self.type.model)
        record = self.record(record_pk)
        step = next((one for one in self.type.steps_of(record) if one.path == path), None)
        if step is None:
            raise Http404
        if step.asks:
            form = self.form(step.form_class(self.type.model), instance=record)
            if not form.is_valid():
                return self.page(
                    "crm/record_form.html", form=form, record=record, title=step.button
                )
        elif self.request.method != "POST":
            return redirect(record)
        step.take(record)
        self.say_done(step.button)
        return redirect(record)


class RecordDelete(RecordsPage):
    """The page that confirms a deletion."""

    def dispatch(self, request, *args, **kwargs):
        """Check that records of this kind are deleted, and that the user may delete them."""
        if self.type.deletes is None:
            raise Http404
        self.require("delete", self.type.model)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request, record_pk):
        """Show the page."""
        return self.page("crm/confirm_delete.html", record=self.record(record_pk))

    def post(self, request, record_pk):
        """Delete the record."""
        self.record(record_pk).delete()
        self.say_done(self.type.deletes)
        return redirect("records", self.company.pk, self.customer.pk, self.type.kind)


class FileDownload(CustomerPage):
    """A file, sent as a download, so that the browser never shows it as a page of the site."""

    def get(self, request, record_pk):
        """Send the file. A file that is missing on disk is a 404."""
        self.require("view", Attachment)
        attachment = get_object_or_404(self.customer.files.all(), pk=record_pk)
        try:
            content = attachment.file.open()
        except FileNotFoundError as error:
            raise Http404 from error
        return FileResponse(content, as_attachment=True, filename=attachment.name)
