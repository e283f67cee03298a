"""Every kind of record: each action in the demo, done with real requests, is a change on the tab.

Expected are user, action, entity, field, old value, new value and source, as the auditor, who sees
everything, reads them.
"""

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.example.reading import read_changes
from tests.example.work import Work

CUSTOMER = "Nadia Brandt"


@pytest.fixture(scope="module")
def customer(manager):
    """The path of a customer that only these tests use."""
    values = {
        "name": CUSTOMER,
        "address": "9 Foundry Lane",
        "city": "Keene",
        "state": "NH",
        "postal_code": "03431",
        "phone": "(603) 555-0100",
        "email": "nadia@example.com",
        "contract_term": "36",
        "monthly_rate": "39.99",
        "monitoring_company": "Bluewater Monitoring",
        "lead_source": "web",
        "ssn": "900-12-0001",
        "bank_account": "0021458876001",
        "card_number": "4111 1111 1111 1111",
    }
    return urlsplit(manager.submit("/lantern/customers/new", "Save", values).url).path


@pytest.fixture(scope="module", autouse=True)
def custom_field(manager):
    """A custom field of the company."""
    manager.submit("/lantern/fields", "Add field", {"name": "Alarm code word", "key": "code_word"})


def note(work, text):
    return work.add("notes", "Add note", text=text)


def ticket(work, title):
    return work.add("tickets", "Create ticket", title=title)


def appointment(work, title):
    values = {"title": title, "starts_at": "2026-12-01T09:00"}
    return work.add("appointments", "Create appointment", **values)


def work_order(work, title):
    values = {"title": title, "hours": "2.00", "price": "180.00"}
    return work.add("work-orders", "Create work order", **values)


def equipment(work, name):
    values = {"name": name, "product": "DW-10", "serial_number": "A-100"}
    return work.add("equipment", "Add equipment", **values)


def billing_method(work, name):
    values = {"name": name, "account": "4000056655665556"}
    return work.add("billing-methods", "Add billing method", **values)


def funding(work, funder):
    return work.add("funding", "Submit for funding", funder=funder, amount="1450.00")


def file(work, name):
    files = {"file": (name, b"Zone 1: front door")}
    return work.add("files", "Upload", files=files, description="As installed")


def envelope(work, title):
    values = {"title": title, "signer": "Nadia Brandt"}
    return work.add("e-documents", "Send envelope", **values)


def portal_login(work, username):
    values = {"username": username, "password": "first-pass"}
    return work.add("portal", "Create log-in", **values)


def advance_workflow_twice(work):
    path = work.add("workflows", "Enroll", workflow="Onboarding")
    work.step(path, "Advance")
    work.step(path, "Advance")


CUSTOMER_EDITS = [
    ("address", "Address", "9 Foundry Lane", "11 Foundry Lane", "11 Foundry Lane"),
    ("phone", "Phone", "(603) 555-0100", "(603) 555-0199", "(603) 555-0199"),
    ("email", "Email", "nadia@example.com", "n.brandt@example.com", "n.brandt@example.com"),
    ("sale_price", "Sale price", "—", "1299.00", "$1,299.00"),
    ("sold_on", "Sale date", "—", "2026-11-02", "Nov. 2, 2026"),
    ("lead_source", "Lead source", "Web site", "referral", "Referral"),
    ("contract_term", "Contract term", "36 months", "60", "60 months"),
    ("monthly_rate", "Monthly rate", "$39.99", "44.99", "$44.99"),
    (
        "monitoring_company",
        "Monitoring company",
        "Bluewater Monitoring",
        "Northstar Central Station",
        "Northstar Central Station",
    ),
    ("ssn", "SSN", "900-12-0001", "900-12-0002", "900-12-0002"),
    ("bank_account", "Bank account", "0021458876001", "0021458876002", "0021458876002"),
    ("card_number", "Card", "4111 1111 1111 1111", "4242 4242 4242 4242", "4242 4242 4242 4242"),
    ("udf_code_word", "Alarm code word", "—", "Heron", "Heron"),
]


CUSTOMER_ENTITY = "Customer"  # Its own tab does not name it again.

ACTIONS = {
    "customer archived": (
        lambda work: work.press("Archive"),
        ("Customer Archived", CUSTOMER_ENTITY, "Archived", "No", "Yes"),
    ),
    "customer restored": (
        lambda work: work.press("Restore"),
        ("Customer Restored", CUSTOMER_ENTITY, "Archived", "Yes", "No"),
    ),
    "note added": (
        lambda work: work.press("Add note", "/notes", text="Called back"),
        ("Note Added", "Note {}", "Text", "—", "Called back"),
    ),
    "note edited": (
        lambda work: work.save(f"{note(work, 'Called')}/edit", text="Visited"),
        ("Note Edited", "Note {}", "Text", "Called", "Visited"),
    ),
    "note deleted": (
        lambda work: work.delete(note(work, "Wrong one"), "Delete note"),
        ("Note Deleted", "Note {}", "Text", "Wrong one", "—"),
    ),
    "ticket created": (
        lambda work: ticket(work, "Siren is silent"),
        ("Ticket Created", "Ticket Siren is silent", "Title", "—", "Siren is silent"),
    ),
    "ticket edited": (
        lambda work: work.save(f"{ticket(work, 'Keypad')}/edit", priority="urgent"),
        ("Ticket Edited", "Ticket Keypad", "Priority", "Normal", "Urgent"),
    ),
    "ticket reassigned": (
        lambda work: work.save(
            f"{ticket(work, 'Panel')}/reassign",
            assigned_to=key_of(work, "manager"),
        ),
        ("Ticket Reassigned", "Ticket Panel", "Assigned to", "—", "manager"),
    ),
    "ticket reopened": (
        lambda work: close_and_reopen(work, ticket(work, "Tamper")),
        ("Ticket Reopened", "Ticket Tamper", "Status", "Closed", "Open"),
    ),
    "ticket closed": (
        lambda work: work.step(ticket(work, "Battery"), "Close ticket"),
        ("Ticket Closed", "Ticket Battery", "Status", "Open", "Closed"),
    ),
    "appointment created": (
        lambda work: appointment(work, "Installation"),
        ("Appointment Created", "Appointment Installation", "Title", "—", "Installation"),
    ),
    "appointment rescheduled": (
        lambda work: work.save(
            f"{appointment(work, 'Check')}/reschedule", starts_at="2026-12-02T14:30"
        ),
        (
            "Appointment Rescheduled",
            "Appointment Check",
            "Starts",
            "Dec. 1, 2026, 9 a.m.",
            "Dec. 2, 2026, 2:30 p.m.",
        ),
    ),
    "appointment edited": (
        lambda work: work.save(f"{appointment(work, 'Visit')}/edit", title="Second visit"),
        ("Appointment Edited", "Appointment Second visit", "Title", "Visit", "Second visit"),
    ),
    "appointment canceled": (
        lambda work: work.step(appointment(work, "Survey"), "Cancel appointment"),
        ("Appointment Canceled", "Appointment Survey", "Status", "Scheduled", "Canceled"),
    ),
    "appointment completed": (
        lambda work: work.step(appointment(work, "Service"), "Complete appointment"),
        ("Appointment Completed", "Appointment Service", "Status", "Scheduled", "Completed"),
    ),
    "work order created": (
        lambda work: work_order(work, "New siren"),
        ("Work Order Created", "Work order WO-{}", "Title", "—", "New siren"),
    ),
    "work order edited": (
        lambda work: work.save(f"{work_order(work, 'New panel')}/edit", hours="3.50"),
        ("Work Order Edited", "Work order WO-{}", "Hours", "2.00", "3.50"),
    ),
    "work order completed": (
        lambda work: work.step(work_order(work, "New keypad"), "Complete work order"),
        ("Work Order Completed", "Work order WO-{}", "Status", "Open", "Completed"),
    ),
    "work order invoiced": (
        lambda work: invoice_order(work, work_order(work, "New camera")),
        ("Work Order Invoiced", "Work order WO-{}", "Status", "Completed", "Invoiced"),
    ),
    "invoice of a work order": (
        lambda work: invoice_order(work, work_order(work, "New lock")),
        ("Invoice Generated", "Invoice line New lock", "Unit price", "—", "$180.00"),
    ),
    "equipment added": (
        lambda work: equipment(work, "Front door"),
        ("Equipment Added", "Equipment Front door", "Serial number", "—", "A-100"),
    ),
    "equipment edited": (
        lambda work: work.save(f"{equipment(work, 'Hall')}/edit", device="motion"),
        ("Equipment Edited", "Equipment Hall", "Device", "Contact", "Motion sensor"),
    ),
    "equipment replaced": (
        lambda work: work.save(f"{equipment(work, 'Garage')}/replace", serial_number="B-200"),
        ("Equipment Replaced", "Equipment Garage", "Serial number", "A-100", "B-200"),
    ),
    "equipment removed": (
        lambda work: work.delete(equipment(work, "Shed"), "Remove equipment"),
        ("Equipment Removed", "Equipment Shed", "Serial number", "A-100", "—"),
    ),
    "invoice generated": (
        lambda work: work.invoice("Monitoring", "44.99"),
        ("Invoice Generated", "Invoice line Monitoring", "Unit price", "—", "$44.99"),
    ),
    "invoice edited": (
        lambda work: work.save(
            f"{work.invoice('Survey', '30.00', due_on='2040-01-15')}/edit", due_on="2040-01-31"
        ),
        ("Invoice Edited", "Invoice INV-{}", "Due", "Jan. 15, 2040", "Jan. 31, 2040"),
    ),
    "line of an invoice edited": (
        lambda work: work.save(
            f"{work.invoice('Cabling', '40.00')}/edit", **{"lines-0-unit_price": "45.00"}
        ),
        ("Invoice Edited", "Invoice line Cabling", "Unit price", "$40.00", "$45.00"),
    ),
    "payment edited": (
        lambda work: work.save(pay(work, work.invoice("Sticker", "5.00")), method="ach"),
        ("Payment Edited", "Payment 5.00", "Method", "Check", "Bank transfer (ACH)"),
    ),
    "invoice open again": (
        lambda work: work.save(pay(work, work.invoice("Battery", "8.00")), amount="6.00"),
        ("Payment Edited", "Invoice INV-{}", "Status", "Paid", "Open"),
    ),
    "payment applied": (
        lambda work: pay(work, work.invoice("Permit", "25.00")),
        ("Payment Applied", "Payment 25.00", "Method", "—", "Check"),
    ),
    "invoice paid": (
        lambda work: pay(work, work.invoice("Yard sign", "15.00")),
        ("Payment Applied", "Invoice INV-{}", "Status", "Open", "Paid"),
    ),
    "billing method added": (
        lambda work: billing_method(work, "Household card"),
        (
            "Billing Method Added",
            "Billing method Household card",
            "Number",
            "—",
            "4000056655665556",
        ),
    ),
    "billing method edited": (
        lambda work: work.save(f"{billing_method(work, 'Card')}/edit", name="Visa"),
        ("Billing Method Edited", "Billing method Visa", "Name", "Card", "Visa"),
    ),
    "billing method made default": (
        lambda work: work.step(billing_method(work, "Savings"), "Make default"),
        ("Billing Method Made Default", "Billing method Savings", "Default", "No", "Yes"),
    ),
    "billing method removed": (
        lambda work: work.delete(billing_method(work, "Old card"), "Remove billing method"),
        ("Billing Method Removed", "Billing method Old card", "Type", "Card", "—"),
    ),
    "funding submitted": (
        lambda work: funding(work, "Summit Funding"),
        ("Funding Submitted", "Funding Summit Funding", "Amount", "—", "$1,450.00"),
    ),
    "funding edited": (
        lambda work: work.save(f"{funding(work, 'Ridge Bank')}/edit", amount="1500.00"),
        ("Funding Edited", "Funding Ridge Bank", "Amount", "$1,450.00", "$1,500.00"),
    ),
    "funding received": (
        lambda work: work.step(funding(work, "Crest Capital"), "Funding received"),
        ("Funding Received", "Funding Crest Capital", "Status", "Submitted", "Funded"),
    ),
    "funding rejected": (
        lambda work: work.save(f"{funding(work, 'Peak Finance')}/reject", reason="No credit"),
        ("Funding Rejected", "Funding Peak Finance", "Reason", "empty", "No credit"),
    ),
    "file uploaded": (
        lambda work: file(work, "zones.txt"),
        ("File Uploaded", "File zones.txt", "Description", "—", "As installed"),
    ),
    "file edited": (
        lambda work: work.save(f"{file(work, 'plan.txt')}/edit", description="As agreed"),
        ("File Edited", "File plan.txt", "Description", "As installed", "As agreed"),
    ),
    "file deleted": (
        lambda work: work.delete(file(work, "draft.txt"), "Delete file"),
        ("File Deleted", "File draft.txt", "Name", "draft.txt", "—"),
    ),
    "tag added": (
        lambda work: work.press("Add", name="Prefers email"),
        ("Tag Added", CUSTOMER_ENTITY, "Tags", "—", "Prefers email"),
    ),
    "tag removed": (
        lambda work: work.press("Remove tag Prefers email"),
        ("Tag Removed", CUSTOMER_ENTITY, "Tags", "Prefers email", "—"),
    ),
    "envelope sent": (
        lambda work: envelope(work, "Contract"),
        ("Envelope Sent", "E-document Contract", "Signer", "—", "Nadia Brandt"),
    ),
    "envelope edited": (
        lambda work: work.save(f"{envelope(work, 'Lease')}/edit", signer="N. Brandt"),
        ("Envelope Edited", "E-document Lease", "Signer", "Nadia Brandt", "N. Brandt"),
    ),
    "envelope signed": (
        lambda work: work.step(envelope(work, "Addendum"), "Mark as signed"),
        ("Envelope Signed", "E-document Addendum", "Status", "Sent", "Signed"),
    ),
    "envelope voided": (
        lambda work: work.save(f"{envelope(work, 'Offer')}/void", reason="Wrong rate"),
        ("Envelope Voided", "E-document Offer", "Status", "Sent", "Voided"),
    ),
    "workflow begun": (
        lambda work: work.add("workflows", "Enroll", workflow="Renewal"),
        ("Workflow Enrolled", "Workflow Renewal", "Step", "—", "Offer sent"),
    ),
    "workflow advanced": (
        advance_workflow_twice,
        ("Workflow Advanced", "Workflow Onboarding", "Step", "Welcome call", "Installation"),
    ),
    "workflow advanced again": (
        advance_workflow_twice,
        ("Workflow Advanced", "Workflow Onboarding", "Step", "Installation", "Test signal"),
    ),
    "workflow left": (
        lambda work: work.delete(
            work.add("workflows", "Enroll", workflow="Dunning"), "Leave workflow"
        ),
        ("Workflow Left", "Workflow Dunning", "Step", "First reminder", "—"),
    ),
    "portal log-in edited": (
        lambda work: work.save(f"{portal_login(work, 'nb')}/edit", username="nb.keene"),
        ("Portal Log-in Edited", "Portal log-in nb.keene", "Username", "nb", "nb.keene"),
    ),
    "portal log-in removed": (
        lambda work: work.delete(portal_login(work, "brandt.n"), "Remove log-in"),
        ("Portal Log-in Removed", "Portal log-in brandt.n", "Username", "brandt.n", "—"),
    ),
    "portal log-in created": (
        lambda work: portal_login(work, "n.brandt"),
        ("Portal Log-in Created", "Portal log-in n.brandt", "Username", "—", "n.brandt"),
    ),
    "password changed": (
        lambda work: work.save(f"{portal_login(work, 'nadia')}/password", password="another-pass"),
        ("Password Changed", "Portal log-in nadia", "Password", "not stored", "not stored"),
    ),
}


def key_of(work, username):
    """Return the key of a user from the choices in the form of a ticket."""
    return work.browser.open(f"{work.customer}/tickets").choices("assigned_to")[username]


def invoice_order(work, order):
    work.step(order, "Complete work order")
    work.step(order, "Invoice work order")


def close_and_reopen(work, ticket):
    work.step(ticket, "Close ticket")
    work.step(ticket, "Reopen ticket")


def pay(work, invoice):
    """Apply a payment; return the path of its form."""
    page = work.browser.submit(invoice, "Apply payment", {"method": "check"})
    return next(one for one in page.urls if "/payments/" in one)


class TestCustomer:
    @pytest.mark.parametrize("edit", CUSTOMER_EDITS, ids=lambda edit: edit[0])
    def test_edited_field_of_a_customer(self, people, customer, edit):
        name, label, old, typed, new = edit
        # Only the admin's form has every field: users cannot edit fields that they may not see.
        Work(people("admin"), customer).edit(**{name: typed})
        newest = read_changes(people("auditor").open(f"{customer}/history"))[0]
        assert newest.without_ip_address() == (
            "admin",
            "Update",
            CUSTOMER_ENTITY,
            label,
            old,
            new,
            "Web",
        )

    @pytest.mark.parametrize("name", ACTIONS)
    def test_each_action_is_a_change(self, people, clerk, customer, name):
        do, (action, entity, field, old, new) = ACTIONS[name]
        do(Work(clerk, customer))
        page = people("auditor").open(f"{customer}/history")
        seen = [change.without_ip_address() for change in read_changes(page)]
        with_any_number = [
            (user, what, re.sub(r"\d+$", "{}", record) if entity.endswith("{}") else record, *rest)
            for user, what, record, *rest in seen
        ]
        assert ("clerk", action, entity, field, old, new, "Web") in with_any_number

    def test_relation_shows_the_name(self, people, customer):
        work = Work(people("admin"), customer)
        choices = work.browser.open(f"{customer}/edit").choices("sales_representative")
        work.edit(sales_representative=choices["clerk"])
        newest = read_changes(people("auditor").open(f"{customer}/history"))[0]
        assert newest.without_ip_address()[3:] == ("Sales representative", "—", "clerk", "Web")


def newest_entry(people, query):
    """Return the newest entry of a query over REST, as the administrator reads it."""
    return json.loads(people("admin").open(f"/api/history/?limit=1&{query}").text)["results"][0]


class TestCustomFields:
    def test_a_custom_field_is_renamed(self, people, manager):
        form = manager.open("/lantern/fields").link("Alarm code word")
        manager.submit(form, "Save", {"name": "Code word"})
        entry = newest_entry(people, "entity=crm.userdefinedfield")
        (change,) = entry["changes"]
        assert (entry["user"]["name"], entry["action"], entry["source"]["code"]) == (
            "manager",
            "Update",
            "web",
        )
        assert (change["field"], change["old"], change["new"]) == (
            "name",
            "Alarm code word",
            "Code word",
        )

    def test_confidential_mark_is_logged(self, people):
        mark = {
            "model": "crm.customer",
            "field": "udf.code_word",
            "label": "Code word",
            "mask": "full",
        }
        people("admin").submit("/admin/customer_history/confidentialfield/add/", "Save", mark)
        entry = newest_entry(people, "entity=customer_history.confidentialfield")
        new_values = {change["field"]: change["new"] for change in entry["changes"]}
        assert (entry["user"]["name"], entry["kind"], entry["source"]["code"]) == (
            "admin",
            "create",
            "admin",
        )
        assert (new_values["model"], new_values["field"]) == ("crm.customer", "udf.code_word")


JOBS = "/lantern/jobs"


def changes_after(button, manager, reader, path):
    """Return the changes that a job adds to a tab."""
    before = {change.without_ip_address() for change in read_changes(reader.open(path))}
    manager.submit(JOBS, button)
    after = [change.without_ip_address() for change in read_changes(reader.open(path))]
    return [change for change in after if change not in before]


class TestJobs:
    def test_sync_is_an_integration(self, people, manager):
        customer = manager.open("/lantern/customers?q=Harbor").link("Harbor Street Dental")
        path = f"{urlsplit(customer).path}"
        people("admin").submit(f"{path}/edit", "Save", {"monitoring_account": "NS-1"})
        added = changes_after("Sync monitoring", manager, people("auditor"), f"{path}/history")
        assert added == [
            (
                "manager",
                "Update",
                CUSTOMER_ENTITY,
                "Monitoring account",
                "NS-1",
                "NS-48377",
                "Integration",
            )
        ]

    def test_routine_task_pauses_history(self, people, manager, customer):
        admin = people("admin")
        assert (
            changes_after("Refresh signals", manager, people("auditor"), f"{customer}/history")
            == []
        )
        newest = json.loads(admin.open("/api/history/").text)["results"][:2]
        assert [entry["action"] for entry in newest] == ["History Resumed", "History Paused"]
        assert {entry["user"]["name"] for entry in newest} == {"manager"}
        assert {entry["reason"] for entry in newest} == {"Daily test signals"}

    def test_a_workflow_has_no_user(self, people, manager, customer):
        values = {
            "issued_on": "2026-01-02",
            "due_on": "2026-01-16",
            "lines-0-description": "Late",
            "lines-0-unit_price": "10.00",
        }
        manager.submit(f"{customer}/invoices/new", "Generate invoice", values)
        added = changes_after("Run workflows", manager, people("auditor"), f"{customer}/history")
        assert ("System", "Invoice Overdue") in {change[:2] for change in added}
        assert ("System", "Workflow Enrolled") in {change[:2] for change in added}
        assert ("System", "Reminder Sent") in {change[:2] for change in added}
        assert {change[-1] for change in added} == {"Workflow"}
