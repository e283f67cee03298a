"""`demo`: fill the example project with data, then serve it."""

from django.contrib.staticfiles.management.commands.runserver import Command as Runserver
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.urls import reverse

from crm.models import Customer
from demo import crowd, people, story
from demo.clock import real_clock, story_clock
from demo.server import running_site
from django_customer_history.models import Entry

DEFAULT_PORT = 8000


class Command(BaseCommand):
    """Prepare the database and users, run the story once, and serve the site."""

    help = (
        "Prepare the database, fill it with the work of a few users, done with real requests, if"
        " there are no customers yet, and serve the site."
    )

    def add_arguments(self, parser):
        """Add the options for the port, the number of customers, and whether to serve."""
        parser.add_argument("--port", type=int, default=DEFAULT_PORT)
        parser.add_argument(
            "--customers",
            type=int,
            default=0,
            help="The least number of customers. Missing ones are imported or added over the API.",
        )
        parser.add_argument("--no-serve", action="store_true", help="Fill the database and stop.")

    def handle(self, *args, port, customers, no_serve, **options):
        """Run the demo."""
        is_new = _is_new()
        with story_clock() if is_new else real_clock() as clock:
            self._prepare()
            if is_new:
                self._run_story(clock)
            else:
                self.stdout.write("The database has customers already. Nothing was added.")
            self._add_customers(clock, customers - Customer.objects.count())
        self.stdout.write(
            f"Customers: {Customer.objects.count()}. Entries in the log: {Entry.objects.count()}."
        )
        self.stdout.flush()
        if not no_serve:
            call_command(DemoServer(stdout=self.stdout), str(port), use_reloader=False)

    def _prepare(self):
        call_command("migrate", verbosity=0)
        people.ensure_people()

    def _run_story(self, clock):
        self.stdout.write("Running the story with requests to the site:")
        with running_site() as site:
            story.run_story(site, clock, stdout=self.stdout)

    def _add_customers(self, clock, missing):
        if missing > 0:
            with running_site() as site:
                crowd.add_customers(site, clock, missing, stdout=self.stdout)


def _is_new():
    tables = connection.introspection.table_names()
    return Customer._meta.db_table not in tables or not Customer.objects.exists()


class DemoServer(Runserver):
    """The development server, which prints how to log in."""

    def on_bind(self, server_port):
        """Print the URL of the site, the users, and the page to open first."""
        site = f"http://{self.addr}:{server_port}"
        logins = "\n".join(
            f"  {person.name:<12}{people.PASSWORD:<8}{person.rights}"
            for person in people.PEOPLE
            if not person.is_program
        )
        self.stdout.write(
            f"\nThe site is at {site}/\n\n"
            f"  User        Password\n{logins}\n\n"
            f"Open first: {site}{_first_page()}\n"
            f"{_api_hint(site)}"
            "Stop with Ctrl-C.\n"
        )
        self.stdout.flush()


def _first_page():
    customer = Customer.objects.filter(name=story.FIRST_CUSTOMER).first()
    if customer is None:
        return reverse("home")
    return reverse("customer_history", args=[customer.company_id, customer.pk])


def _api_hint(site):
    key = people.token()
    if key is None:
        return ""
    return f'API: curl -H "Authorization: Token {key}" {site}/api/customers/\n'
