"""What happens in the demo: a few months of a dealer's work, done in seconds.

Everything goes through the site's own pages, its API, its admin and its commands.
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command
from django.utils import timezone

from demo.browser import Browser, Program
from demo.people import ADMIN, CLERK, INTEGRATION, MANAGER, PASSWORD, token

DATA = Path(__file__).resolve().parent.parent / "data"

FIRST_CUSTOMER = "Eleanor Whitfield"
"""Whose History tab has something of everything."""


def tell(site, *, stdout):
    """Let everybody do their work on the site; commands write to `stdout`."""
    manager, clerk, admin = (_at_work(site, person) for person in (MANAGER, CLERK, ADMIN))
    integration = Program(site, address=INTEGRATION.address, token=token())
    customer = _sell(manager)
    call_command("import_customers", DATA / "customers.csv", user=ADMIN.name, stdout=stdout)
    _sort(clerk)
    _install(clerk, customer)
    _correct(manager, customer)
    _bill(manager, customer)
    _bill(manager, _page_of(manager, "Copper Kettle Bakery"))
    call_command("run_workflow", stdout=stdout)
    _pay(clerk, manager, customer)
    _synchronise(integration, customer)
    _renew(admin, customer)
    _tidy_up(clerk, manager, customer)
    _cancel(clerk, manager, _page_of(clerk, "Beatrice Lindqvist"))


def _at_work(site, person):
    browser = Browser(site, address=person.address)
    browser.log_in(person.name, PASSWORD)
    return browser


def _page_of(browser, name):
    return urlsplit(browser.open("/customers").link(name)).path


def _sell(manager):
    sold = manager.submit(
        "/customers/new",
        "Save",
        {
            "name": FIRST_CUSTOMER,
            "address": "218 Maple Hill Road",
            "city": "Brattleboro",
            "state": "VT",
            "postal_code": "05301",
            "phone": "(802) 555-0148",
            "email": "e.whitfield@example.com",
            "contract_term": "36",
            "monthly_rate": "44.99",
            "monitoring_company": "Bluewater Monitoring",
            "ssn": "900-12-4417",
            "bank_account": "0021458876120",
        },
    )
    customer = urlsplit(sold.url).path
    for tag in ("New install", "VIP"):
        manager.submit(customer, "Add", {"name": tag})
    return customer


def _sort(clerk):
    for name in ("Riverbend Self Storage", "Pine Hollow School", "Old Mill Brewing"):
        clerk.submit(_page_of(clerk, name), "Add", {"name": "Commercial"})


def _install(clerk, customer):
    notes = f"{customer}/notes"
    text = "Installed panel and five sensors. Customer asked for a call about the app."
    written = clerk.submit(notes, "Add note", {"text": text})
    for name in ("floor-plan.svg", "zone-list.txt"):
        content = (DATA / name).read_bytes()
        clerk.submit(f"{customer}/files", "Upload", files={"file": (name, content)})
    text = "Installed panel and six sensors. Called about the app: it is set up."
    clerk.submit(written.link("Edit note"), "Save", {"text": text})
    contact = {"phone": "(802) 555-0184", "email": "eleanor@whitfield.example"}
    clerk.submit(f"{customer}/edit", "Save", contact)


def _correct(manager, customer):
    numbers = {"ssn": "900-12-4471", "bank_account": "0021458879034"}
    manager.submit(f"{customer}/edit", "Save", numbers)


def _bill(manager, customer):
    today = timezone.localdate()
    manager.submit(
        f"{customer}/invoices/new",
        "Generate invoice",
        {
            "issued_on": str(today - timedelta(days=45)),
            "due_on": str(today - timedelta(days=15)),
            "lines-0-description": "Installation",
            "lines-0-quantity": "1",
            "lines-0-unit_price": "249.00",
            "lines-1-description": "Monitoring, first quarter",
            "lines-1-quantity": "3",
            "lines-1-unit_price": "44.99",
        },
    )


def _pay(clerk, manager, customer):
    invoice = clerk.open(f"{customer}/invoices").link("INV-1001")
    clerk.submit(invoice, "Apply payment", {"amount": "200.00", "method": "check"})
    manager.submit(invoice, "Apply payment", {"method": "card"})


def _synchronise(integration, customer):
    moved = {"monitoring_company": "Northstar Central Station", "address": "218 Maple Hill Rd"}
    integration.send("PATCH", f"/api/customers/{_key(customer)}/", moved)
    integration.send(
        "POST",
        "/api/customers/",
        {
            "name": "Lakeview Animal Clinic",
            "address": "61 Shore Drive",
            "city": "Laconia",
            "state": "NH",
            "postal_code": "03246",
            "phone": "(603) 555-0177",
            "monthly_rate": "72.00",
        },
    )


def _renew(admin, customer):
    contract = {"contract_term": "60", "monthly_rate": "39.99"}
    admin.submit(f"/admin/crm/customer/{_key(customer)}/change/", "Save", contract)


def _tidy_up(clerk, manager, customer):
    zones = clerk.open(f"{customer}/files").link("zone-list.txt")
    clerk.submit(f"{zones}/delete", "Delete file")
    clerk.submit(customer, "Remove tag New install")
    for button in ("Archive", "Restore"):
        manager.submit(customer, button)


def _cancel(clerk, manager, customer):
    text = "Moved away, wants nothing any more. Panel was returned."
    clerk.submit(f"{customer}/notes", "Add note", {"text": text})
    manager.submit(customer, "Archive")


def _key(customer):
    return customer.rpartition("/")[2]
