"""Pages of a company: the home page, custom fields, and jobs."""

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext

from crm.companies import company_key_of
from crm.forms import form_for
from crm.jobs import JOBS
from crm.models import Company, UserDefinedField
from crm.views.pages import CompanyPage


def home(request):
    """Redirect to the user's company, or a superuser without one to the first company."""
    company = Company.objects.filter(pk=company_key_of(request.user) or "").first()
    if company is None and request.user.is_superuser:
        company = Company.objects.first()
    if company is None:
        raise PermissionDenied
    return redirect(company)


class Fields(CompanyPage):
    """The custom fields of the company."""

    tab = "fields"

    def get(self, request):
        """Show the fields."""
        return self._page(self._form(None))

    def post(self, request):
        """Add a field."""
        self.require("add", UserDefinedField)
        form = self._form(request.POST)
        if not form.is_valid():
            return self._page(form)
        form.save()
        self.say(gettext("Field %(field)s added.") % {"field": form.instance})
        return redirect(request.path)

    def _form(self, data):
        form_class = form_for(UserDefinedField, ("name", "key"))
        instance = UserDefinedField(company=self.company)
        return form_class(data, instance=instance, user=self.request.user, company=self.company)

    def _page(self, form):
        self.require("view", UserDefinedField)
        fields = self.company.user_defined_fields.all()
        may = {f"may_{verb}": self.may(verb, UserDefinedField) for verb in ("add", "change")}
        return self.page("crm/fields_of_company.html", form=form, defined=fields, **may)


class FieldEdit(CompanyPage):
    """The form of a field. The key cannot be changed, because values are stored under it."""

    tab = "fields"

    def get(self, request, field_pk):
        """Show the form."""
        return self._edited(field_pk, None)

    def post(self, request, field_pk):
        """Save the field, or show the errors."""
        return self._edited(field_pk, request.POST)

    def _edited(self, pk, data):
        self.require("change", UserDefinedField)
        field = get_object_or_404(self.company.user_defined_fields, pk=pk)
        form_class = form_for(UserDefinedField, ("name",))
        form = form_class(data, instance=field, user=self.request.user, company=self.company)
        if form.is_bound and form.is_valid():
            self.say(gettext("Field %(field)s saved.") % {"field": form.save()})
            return redirect("fields", self.company.pk)
        return self.page("crm/field_form.html", form=form, field=field)


class Jobs(CompanyPage):
    """The nightly jobs, with buttons to run them now."""

    tab = "jobs"

    def get(self, request):
        """Show the buttons."""
        self._require_permission()
        return self.page("crm/jobs.html", jobs=JOBS.items())

    def post(self, request, job):
        """Run a job."""
        self._require_permission()
        if job not in JOBS:
            raise Http404
        self.say(JOBS[job].counted % JOBS[job].run(self.company))
        return redirect("jobs", self.company.pk)

    def _require_permission(self):
        if not self.request.user.has_perm("crm.run_jobs"):
            raise PermissionDenied
