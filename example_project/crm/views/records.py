"""The pages of all kinds of records, made from the table in `crm.records`."""

from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404, redirect
from django.utils.text import capfirst

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
        """Drop the kind from the arguments, and ask whether such records may be seen."""
        kwargs.pop("kind", None)
        self.require("view", self.type.model)
        return super().dispatch(request, *args, **kwargs)

    def records(self):
        """Return the customer's records of the kind."""
        return getattr(self.customer, self.type.related)

    def record(self, pk):
        """Return one of them, with the customer at hand."""
        return get_object_or_404(self.records().all(), pk=pk)

    def form(self, form_class, **options):
        """Return a form, with what was sent if anything was."""
        return form_class(
            self.request.POST or None,
            self.request.FILES or None,
            user=self.request.user,
            company=self.company,
            **options,
        )

    def shared_context(self):
        """Return what all templates get."""
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
        """Show them."""
        return self._page(self.form(self.type.add_form))

    def post(self, request):
        """Add one."""
        self.require("add", self.type.model)
        form = self.form(self.type.add_form)
        if not form.is_valid():
            return self._page(form)
        record = form.instance
        if self.type.author:
            setattr(record, self.type.author, request.user)
        self.records().add(record, bulk=False)
        self.say(f"{self.type.adds}: done.")
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
    """One record, with the buttons that it has now."""

    def get(self, request, record_pk):
        """Show it."""
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
        """Save the record, or show what is wrong."""
        return self._edited(record_pk)

    def _edited(self, record_pk):
        self.require("change", self.type.model)
        if self.type.edit_form is None:
            raise Http404
        record = self.record(record_pk)
        form = self.form(self.type.edit_form, instance=record)
        if form.is_bound and form.is_valid():
            form.save()
            self.say("Changes saved.")
            return redirect(record)
        title = f"Edit {self.type.name}"
        return self.page("crm/record_form.html", form=form, record=record, title=title)


class RecordStep(RecordsPage):
    """A button of a record: it moves the record on, or asks for something first."""

    def get(self, request, record_pk, step):
        """Show the form of a step that asks for something."""
        return self._taken(record_pk, step)

    def post(self, request, record_pk, step):
        """Move the record on."""
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
        self.say(f"{step.button}: done.")
        return redirect(record)


class RecordDelete(RecordsPage):
    """The question whether to delete a record."""

    def dispatch(self, request, *args, **kwargs):
        """Ask whether such records are deleted at all, and whether by this user."""
        if self.type.deletes is None:
            raise Http404
        self.require("delete", self.type.model)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request, record_pk):
        """Ask."""
        return self.page("crm/confirm_delete.html", record=self.record(record_pk))

    def post(self, request, record_pk):
        """Delete it."""
        self.record(record_pk).delete()
        self.say(f"{self.type.deletes}: done.")
        return redirect("records", self.company.pk, self.customer.pk, self.type.kind)


class FileDownload(CustomerPage):
    """A file, sent as a download and never shown in the site's own name."""

    def get(self, request, record_pk):
        """Send it; 404 where the record is there but the file itself is not."""
        self.require("view", Attachment)
        attachment = get_object_or_404(self.customer.files.all(), pk=record_pk)
        try:
            content = attachment.file.open()
        except FileNotFoundError as error:
            raise Http404 from error
        return FileResponse(content, as_attachment=True, filename=attachment.name)
