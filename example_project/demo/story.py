"""The story of the demo: a year and a half of a dealer's work, done in a minute.

All of it uses the pages of the site, its API, its admin and its commands.
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command

from crm.jobs import MANAGES_USERS
from demo.office import Office
from demo.people import ADMIN, CLERK, HARBOR, LANTERN, MANAGER, OUTSIDER

DATA = Path(__file__).resolve().parent.parent / "data"

FIRST_CUSTOMER = "Eleanor Whitfield"
"""The customer whose History tab has every kind of change."""


def run_story(site, clock, *, stdout):
    """Do the work of all users on the site. Commands write to `stdout`."""
    office = Office(site, clock)
    customer = _sell(office)
    _sign(office, customer)
    _install(office, customer)
    _import_others(office, stdout)
    contact = _open_the_portal(office, customer)
    _bill(office, customer)
    _fund(office, customer)
    _remind_and_pay(office, customer, stdout)
    _correct(office, customer)
    _repair(office, customer)
    _raise_rate(office, customer, days=320, rate="46.49")
    _sell_elsewhere(office)
    _define_fields(office, customer)
    _raise_rate(office, customer, days=230, rate="48.99")
    _synchronize(office, customer, stdout)
    _log_in_to_the_portal(office, customer)
    _renew(office, customer)
    _review_rights(office, contact, stdout)
    _cancel(office)
    _tidy_up(office, customer)
    _today(office, customer)


def _sell(office):
    office.clock.turn_to(days=540, hour=10, minute=12)
    manager = office.of(MANAGER)
    sold = manager.submit(
        f"/{LANTERN}/customers/new",
        "Save",
        {
            "name": FIRST_CUSTOMER,
            "address": "218 Maple Hill Road",
            "city": "Brattleboro",
            "state": "VT",
            "postal_code": "05301",
            "phone": "(802) 555-0148",
            "email": "e.whitfield@example.com",
            "sold_on": str(office.clock.date),
            "lead_source": "referral",
            "sale_price": "249.00",
            "contract_term": "36",
            "monthly_rate": "44.99",
            "monitoring_company": "Bluewater Monitoring",
            "ssn": "900-12-4417",
            "bank_account": "0021458876120",
            "card_number": "4111 1111 1111 1111",
        },
    )
    customer = urlsplit(sold.url).path
    for tag in ("New install", "VIP"):
        manager.submit(customer, "Add", {"name": tag})
    manager.submit(f"{customer}/workflows", "Enroll", {"workflow": "Onboarding"})
    return customer


def _sign(office, customer):
    office.clock.turn_to(days=539, hour=11, minute=3)
    clerk = office.of(CLERK)
    contract = {"title": "Monitoring contract", "signer": FIRST_CUSTOMER}
    _add(clerk, f"{customer}/e-documents", "Send envelope", contract)
    card = {"name": "Household card", "type": "card", "account": "4111111111111111"}
    _add(clerk, f"{customer}/billing-methods", "Add billing method", card)
    login = {"username": "eleanor", "password": "first-password"}
    _add(clerk, f"{customer}/portal", "Create log-in", login)
    office.clock.turn_to(days=538, hour=16, minute=40)
    _press(clerk, f"{customer}/e-documents", "Monitoring contract", "Mark as signed")
    _press(clerk, f"{customer}/workflows", "Onboarding", "Advance")


def _install(office, customer):
    clock = office.clock
    clock.turn_to(days=537, hour=9, minute=20)
    clerk = office.of(CLERK)
    visit = {"title": "Installation", "starts_at": _moment(clock, days=3)}
    installation = _add(clerk, f"{customer}/appointments", "Create appointment", visit)
    clock.turn_to(days=535, hour=13, minute=55)
    clerk.submit(f"{installation}/reschedule", "Save", {"starts_at": _moment(clock, days=2)})
    clock.turn_to(days=533, hour=15, minute=31)
    for place, device, product, serial in (
        ("Hall", "panel", "Sentry 500", "S5-104417"),
        ("Front door", "contact", "DW-10", "DW-771020"),
        ("Kitchen", "smoke", "SD-2", "SD-300981"),
    ):
        values = {"name": place, "device": device, "product": product, "serial_number": serial}
        _add(clerk, f"{customer}/equipment", "Add equipment", values)
        clock.wait(minutes=11)
    clerk.submit(installation, "Complete appointment")
    text = "Installed panel and five sensors. Customer asked for a call about the app."
    written = clerk.submit(f"{customer}/notes", "Add note", {"text": text})
    for name in ("floor-plan.svg", "zone-list.txt"):
        content = (DATA / name).read_bytes()
        clerk.submit(f"{customer}/files", "Upload", files={"file": (name, content)})
    clock.turn_to(days=532, hour=9, minute=5)
    text = "Installed panel and six sensors. Called about the app: it is set up."
    clerk.submit(written.link("Edit note"), "Save", {"text": text})
    for _ in range(2):
        _press(clerk, f"{customer}/workflows", "Onboarding", "Advance")


def _import_others(office, stdout):
    office.clock.turn_to(days=520, hour=20, minute=2)
    call_command(
        "import_customers",
        DATA / "customers.csv",
        company=LANTERN,
        user=ADMIN.name,
        stdout=stdout,
    )
    office.clock.turn_to(days=519, hour=9, minute=15)
    for name in ("Riverbend Self Storage", "Pine Hollow School", "Old Mill Brewing"):
        tag = {"name": "Commercial"}
        office.of(CLERK).submit(office.customer(CLERK, name), "Add", tag)


def _open_the_portal(office, customer):
    office.clock.turn_to(days=515, hour=10, minute=30)
    values = {"name": "Martin Whitfield", "rights": _rights(office, customer, "Sees invoices")}
    return _add(office.of(CLERK), f"{customer}/portal-contacts", "Add portal contact", values)


def _rights(office, customer, *names):
    choices = office.of(CLERK).open(f"{customer}/portal-contacts").choices("rights")
    return [choices[name] for name in names]


def _bill(office, customer):
    office.clock.turn_to(days=510, hour=10)
    for billed in (customer, office.customer(MANAGER, "Copper Kettle Bakery")):
        office.of(MANAGER).submit(
            f"{billed}/invoices/new",
            "Generate invoice",
            {
                "issued_on": str(office.clock.date),
                "due_on": str(office.clock.date + timedelta(days=30)),
                "lines-0-description": "Installation",
                "lines-0-quantity": "1",
                "lines-0-unit_price": "249.00",
                "lines-1-description": "Monitoring, first quarter",
                "lines-1-quantity": "3",
                "lines-1-unit_price": "44.99",
            },
        )


def _fund(office, customer):
    office.clock.turn_to(days=505, hour=14, minute=10)
    manager = office.of(MANAGER)
    for funder in ("Peak Finance", "Summit Funding"):
        values = {"funder": funder, "amount": "1450.00"}
        _add(manager, f"{customer}/funding", "Submit for funding", values)
    office.clock.turn_to(days=498, hour=11, minute=48)
    rejected = _page(manager, f"{customer}/funding", "Peak Finance")
    manager.submit(f"{rejected}/reject", "Save", {"reason": "No credit file"})
    _press(manager, f"{customer}/funding", "Summit Funding", "Funding received")


def _remind_and_pay(office, customer, stdout):
    office.clock.turn_to(days=478, hour=2, minute=0)
    call_command("run_job", "workflows", stdout=stdout)
    office.clock.turn_to(days=474, hour=10, minute=26)
    invoice = office.of(CLERK).open(f"{customer}/invoices").link("INV-1001")
    payment = {"amount": "200.00", "method": "check", "received_on": str(office.clock.date)}
    office.of(CLERK).submit(invoice, "Apply payment", payment)
    office.clock.turn_to(days=470, hour=15, minute=2)
    payment = {"method": "card", "received_on": str(office.clock.date)}
    office.of(MANAGER).submit(invoice, "Apply payment", payment)


def _correct(office, customer):
    office.clock.turn_to(days=430, hour=9, minute=44)
    contact = {"phone": "(802) 555-0184", "email": "eleanor@whitfield.example"}
    office.of(CLERK).submit(f"{customer}/edit", "Save", contact)
    office.clock.turn_to(days=429, hour=16, minute=18)
    office.of(MANAGER).submit(f"{customer}/edit", "Save", {"ssn": "900-12-4471"})
    account = {"bank_account": "0021458879034"}
    office.of(ADMIN).submit(f"{customer}/edit", "Save", account)


def _repair(office, customer):
    office.clock.turn_to(days=365, hour=8, minute=51)
    clerk = office.of(CLERK)
    values = {
        "title": "Smoke detector chirps",
        "description": "Every minute since Sunday. Battery was changed in spring.",
        "priority": "normal",
    }
    ticket = _add(clerk, f"{customer}/tickets", "Create ticket", values)
    clerk.submit(f"{ticket}/edit", "Save", {"priority": "urgent"})
    people = clerk.open(f"{ticket}/reassign").choices("assigned_to")
    clerk.submit(f"{ticket}/reassign", "Save", {"assigned_to": people["manager"]})
    manager = office.of(MANAGER)
    order = {"title": "Replace smoke detector", "hours": "1.00", "price": "95.00"}
    order = _add(manager, f"{customer}/work-orders", "Create work order", order)
    office.clock.turn_to(days=363, hour=12, minute=37)
    manager.submit(f"{order}/edit", "Save", {"hours": "1.50", "price": "120.00"})
    detector = _page(clerk, f"{customer}/equipment", "Kitchen")
    new = {"product": "SD-3", "serial_number": "SD-410077"}
    clerk.submit(f"{detector}/replace", "Save", new)
    office.clock.wait(minutes=90)
    manager.submit(order, "Complete work order")
    office.clock.wait(minutes=12)
    manager.submit(order, "Invoice work order")
    clerk.submit(ticket, "Close ticket")


def _raise_rate(office, customer, *, days, rate):
    office.clock.turn_to(days=days, hour=9, minute=12)
    office.of(MANAGER).submit(f"{customer}/edit", "Save", {"monthly_rate": rate})


def _sell_elsewhere(office):
    office.clock.turn_to(days=300, hour=9, minute=30)
    outsider = office.of(OUTSIDER)
    values = {
        "name": "Tidewater Marina",
        "address": "2 Dock Street",
        "city": "Newport",
        "state": "RI",
        "postal_code": "02840",
        "phone": "(401) 555-0120",
        "contract_term": "60",
        "monthly_rate": "149.00",
    }
    sold = urlsplit(outsider.submit(f"/{HARBOR}/customers/new", "Save", values).url).path
    _add(outsider, f"{sold}/notes", "Add note", {"text": "Wants cameras on all four docks."})


def _define_fields(office, customer):
    office.clock.turn_to(days=260, hour=10, minute=5)
    manager, admin = office.of(MANAGER), office.of(ADMIN)
    for name, key in (("Gate code", "gate_code"), ("Dog", "dog")):
        manager.submit(f"/{LANTERN}/fields", "Add field", {"name": name, "key": key})
    values = {"udf_gate_code": "7741-2290", "udf_dog": "Biscuit, friendly"}
    manager.submit(f"{customer}/edit", "Save", values)
    mark = {"model": "crm.customer", "field": "udf.gate_code", "label": "Gate code"}
    admin.submit("/admin/customer_history/confidentialfield/add/", "Save", mark)
    admin.submit(f"{customer}/edit", "Save", {"udf_gate_code": "3308-5512"})


def _synchronize(office, customer, stdout):
    office.clock.turn_to(days=210, hour=3, minute=0)
    integration = office.program()
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
    office.clock.turn_to(days=209, hour=3, minute=30)
    call_command("run_job", "monitoring", stdout=stdout)
    call_command("run_job", "signals", stdout=stdout)


def _log_in_to_the_portal(office, customer):
    office.clock.turn_to(days=160, hour=17, minute=22)
    clerk = office.of(CLERK)
    login = _page(clerk, f"{customer}/portal", "eleanor")
    clerk.submit(f"{login}/password", "Save", {"password": "second-password"})
    account = {"name": "Joint account", "type": "ach", "account": "0021458879034"}
    office.clock.wait(minutes=6)
    account = _add(clerk, f"{customer}/billing-methods", "Add billing method", account)
    office.clock.wait(minutes=1)
    clerk.submit(account, "Make default")
    card = _page(clerk, f"{customer}/billing-methods", "Household card")
    clerk.submit(f"{card}/delete", "Remove billing method")


def _renew(office, customer):
    office.clock.turn_to(days=95, hour=11, minute=11)
    manager = office.of(MANAGER)
    offer = {"title": "Renewal at 42.99", "signer": FIRST_CUSTOMER}
    offer = _add(manager, f"{customer}/e-documents", "Send envelope", offer)
    office.clock.wait(minutes=41)
    manager.submit(f"{offer}/void", "Save", {"reason": "Agreed on 39.99"})
    _add(manager, f"{customer}/workflows", "Enroll", {"workflow": "Renewal"})
    office.clock.turn_to(days=90, hour=14, minute=45)
    contract = {"contract_term": "60", "monthly_rate": "39.99"}
    admin_page = f"/admin/crm/customer/{_key(customer)}/change/"
    office.of(ADMIN).submit(admin_page, "Save", contract)
    _press(office.of(MANAGER), f"{customer}/workflows", "Renewal", "Advance")


def _review_rights(office, contact, stdout):
    """Give rights within the last year, and let the yearly review take one away."""
    customer = contact.partition("/portal-contacts")[0]
    rights = _rights(office, customer, "Sees invoices", "Orders equipment", MANAGES_USERS)
    office.clock.turn_to(days=70, hour=13, minute=17)
    office.of(MANAGER).submit(f"{contact}/edit", "Save", {"rights": rights})
    office.clock.turn_to(days=65, hour=2, minute=0)
    call_command("run_job", "rights", stdout=stdout)


def _cancel(office):
    office.clock.turn_to(days=60, hour=10, minute=33)
    customer = office.customer(CLERK, "Beatrice Lindqvist")
    text = "Moved away. Contract canceled, panel returned."
    office.of(CLERK).submit(f"{customer}/notes", "Add note", {"text": text})
    office.of(MANAGER).submit(customer, "Archive")


def _tidy_up(office, customer):
    office.clock.turn_to(days=21, hour=9, minute=8)
    clerk, manager = office.of(CLERK), office.of(MANAGER)
    plan = _page(clerk, f"{customer}/files", "floor-plan.svg")
    clerk.submit(f"{plan}/edit", "Save", {"description": "Ground floor, as installed"})
    office.clock.wait(minutes=4)
    zones = _page(clerk, f"{customer}/files", "zone-list.txt")
    clerk.submit(f"{zones}/delete", "Delete file")
    office.clock.wait(minutes=9)
    clerk.submit(customer, "Remove tag New install")
    office.clock.turn_to(days=8, hour=16, minute=58)
    for button in ("Archive", "Restore"):
        manager.submit(customer, button)
        office.clock.wait(minutes=3)


def _today(office, customer):
    office.clock.turn_to(days=1, hour=15, minute=20)
    clerk = office.of(CLERK)
    visit = {"title": "Yearly check", "starts_at": _moment(office.clock, days=9)}
    check = _add(clerk, f"{customer}/appointments", "Create appointment", visit)
    office.clock.wait(minutes=27)
    clerk.submit(check, "Cancel appointment")
    office.clock.turn_to_hours_ago(2)
    values = {"title": "Wants a camera at the gate", "priority": "low"}
    _add(clerk, f"{customer}/tickets", "Create ticket", values)
    office.clock.wait(minutes=24)
    manager = office.of(MANAGER)
    manager.submit(f"{customer}/edit", "Save", {"phone": "(802) 555-0190"})


def _add(browser, path, button, values):
    """Add a record with the form of its list; return the path of its page."""
    page = browser.submit(path, button, values)
    return max(
        (urlsplit(url).path for url in page.urls if f"{path}/" in url),
        key=lambda found: int(found.removeprefix(f"{path}/").partition("/")[0]),
    )


def _page(browser, path, name):
    """Return the path of a record's page, from the list of records."""
    return urlsplit(browser.open(path).link(name)).path


def _press(browser, path, name, button):
    """Press a button on the page of a record."""
    browser.submit(_page(browser, path, name), button)


def _moment(clock, *, days):
    return f"{clock.date + timedelta(days=days)}T09:00"


def _key(customer):
    return customer.rpartition("/")[2]
