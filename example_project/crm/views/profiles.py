"""The page where users choose their time zone."""

from zoneinfo import available_timezones

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.generic import View

from crm.forms import ProfileForm
from crm.models import Employee


class Profile(View):
    """The profile of the user. A user without a company has none."""

    def get(self, request):
        """Show the form."""
        return self._edited(None)

    def post(self, request):
        """Save the profile, or show the errors."""
        return self._edited(self.request.POST)

    def _edited(self, data):
        employee = get_object_or_404(
            Employee.objects.select_related("company"), user=self.request.user
        )
        form = ProfileForm(data, instance=employee)
        if form.is_bound and form.is_valid():
            form.save()
            messages.success(self.request, gettext("Profile saved."))
            return redirect("profile")
        context = {
            "company": employee.company,
            "tab": "profile",
            "form": form,
            "time_zones": sorted(available_timezones()),
        }
        return render(self.request, "crm/profile.html", context)
