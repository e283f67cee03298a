"""Amounts of money as text."""

from django.utils.formats import number_format
from django.utils.translation import pgettext


def dollars(amount):
    """Return an amount in the format of the active language, such as $1,299.00 or 1.299,00 $."""
    number = number_format(amount, 2, force_grouping=True)
    return pgettext("amount of money", "$%(number)s") % {"number": number}
