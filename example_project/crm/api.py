"""The API: customers as JSON, for programs."""

from rest_framework import serializers, viewsets

from crm.confidential import hidden_fields
from crm.models import Customer


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
            "contract_term",
            "monthly_rate",
            "monitoring_company",
            "ssn",
            "bank_account",
            "is_archived",
            "tags",
        )

    def get_fields(self):
        """Return the fields that the user may see."""
        hidden = hidden_fields(self.context["request"].user)
        return {name: field for name, field in super().get_fields().items() if name not in hidden}


class CustomerViewSet(viewsets.ModelViewSet):
    """List, add, change and delete customers, as the model permissions of the user allow."""

    queryset = Customer.objects.prefetch_related("tags")
    serializer_class = CustomerSerializer
