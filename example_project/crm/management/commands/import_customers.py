"""`import_customers FILE.csv`: add customers from a file."""

import csv
from pathlib import Path

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from crm.models import Company, Customer
from django_customer_history import history


class Command(BaseCommand):
    """Add all customers of a CSV file, or none if one of them is not valid."""

    help = "Add the customers of a CSV file. Its first line has the names of the fields."

    def add_arguments(self, parser):
        """Add the options for the file, the company and the user."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--company", required=True, help="The company of the customers.")
        parser.add_argument("--user", help="The user who imports; by default, no user.")

    def handle(self, *args, file, company, user, **options):
        """Import the file."""
        customers = list(_customers(file, _company(company)))
        reason = f"Import of {file.name}"
        with history.acting(source="import", user=_user(user), reason=reason):
            Customer.objects.bulk_create(customers)
        self.stdout.write(f"{len(customers)} customers imported from {file.name}.")


def _customers(file, company):
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            for row in reader:
                yield _customer({**row, "company": company}, f"{file.name}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The file cannot be read: {error}") from error


def _customer(row, place):
    try:
        customer = Customer(**row)
        customer.full_clean()
    except (TypeError, ValidationError) as error:
        raise CommandError(f"{place}: {error}") from error
    return customer


def _company(slug):
    try:
        return Company.objects.get(pk=slug)
    except Company.DoesNotExist as error:
        raise CommandError(f"The company {slug!r} does not exist.") from error


def _user(name):
    if name is None:
        return None
    try:
        return User.objects.get_by_natural_key(name)
    except User.DoesNotExist as error:
        raise CommandError(f"The user {name!r} does not exist.") from error
