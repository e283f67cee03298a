"""What of a customer a user may see in the CRM itself: the same rule as in the history."""

from crm.models import CONFIDENTIAL, Customer


def may_see(user, field):
    """Return whether the user may see the values of a confidential field."""
    return user.has_perm(f"crm.view_confidential_customer_{field}")


def hidden_fields(user):
    """Return the fields of a customer that the user may not see, and so not edit."""
    return [field for field in CONFIDENTIAL if not may_see(user, field)]


def confidential_values(customer: Customer, user):
    """Yield label, text and whether it is masked of each confidential field."""
    for field, mask in CONFIDENTIAL.items():
        value = getattr(customer, field)
        is_masked = bool(value) and not may_see(user, field)
        label = Customer._meta.get_field(field).verbose_name
        yield label, mask(value) if is_masked else value, is_masked
