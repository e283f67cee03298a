"""The REST API of customers, with their history."""

from django.utils.translation import gettext
from rest_framework import serializers, viewsets
from rest_framework.exceptions import PermissionDenied

from crm.companies import company_key_of, within_reach
from crm.confidential import hidden
from crm.models import Customer
from django_customer_history.rest_framework.viewsets import HistoryMixin


class CustomerSerializer(serializers.ModelSerializer):
    """A customer, without the fields that the user of the request may not see."""

    class Meta:
        model = Customer
        fields = (
            "id",
            "name",
            "status",
            "address",
            "city",
            "state",
            "postal_code",
            "phone",
            "email",
            "sold_on",
            "sales_representative",
            "lead_source",
            "sale_price",
            "contract_term",
            "monthly_rate",
            "monitoring_company",
            "monitoring_account",
            "ssn",
            "bank_account",
            "card_number",
            "udf",
            "is_archived",
            "tags",
        )

    def get_fields(self):
        """Return the fields that the user may see. A hidden key hides `udf` as a whole."""
        kept_from_user = {
            name.partition(".")[0] for name in hidden(self.context["request"].user, Customer)
        }
        fields = super().get_fields()
        for name in ("sales_representative", "tags"):
            fields[name].read_only = True
        return {name: field for name, field in fields.items() if name not in kept_from_user}


class CustomerViewSet(HistoryMixin, viewsets.ModelViewSet):
    """The customers of the user's company, if the user has the model permissions."""

    serializer_class = CustomerSerializer
    queryset = Customer.objects.all()

    def get_queryset(self):
        """Return the customers of the user's company."""
        return within_reach(self.request.user, Customer.objects.prefetch_related("tags"))

    def perform_create(self, serializer):
        """Save a new customer for the user's company."""
        company = company_key_of(self.request.user)
        if company is None:
            raise PermissionDenied(
                gettext("You do not belong to a company, so you cannot add customers.")
            )
        serializer.save(company_id=company)
