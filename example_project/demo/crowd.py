"""More customers, for long lists and a large log: imported from files and sent to the API.

They are added over the same eighteen months. The same number always gives the same customers.
"""

import csv
import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from django.core.management import call_command

from demo.clock import DAYS
from demo.office import Office
from demo.people import ADMIN, LANTERN
from demo.story import DATA
from django_customer_history.management.progress import ProgressBar

WORDS = {
    kind: words.split()
    for kind, words in json.loads((DATA / "words.json").read_text(encoding="utf-8")).items()
}
"""The parts of the names of people, businesses and streets."""

PLACES = (
    ("Burlington", "VT", "05401"),
    ("Concord", "NH", "03301"),
    ("Keene", "NH", "03431"),
    ("Pittsfield", "MA", "01201"),
    ("Portland", "ME", "04101"),
    ("Rutland", "VT", "05701"),
)
RATES = ("34.99", "39.99", "44.99", "54.99", "79.00")
STAGES = 12
"""How many files are imported. Between two files, customers are added and edited over the API."""


@dataclass(slots=True)
class _Crowd:
    """Generates customers, one after the other."""

    dice: Random
    number: int = 0

    def next(self):
        """Return the values of the next customer, all of them text."""
        self.number += 1
        first = self._word("first")
        last = self._word("last")
        trade = self.dice.choice(WORDS["trades"])
        city, state, postal_code = self.dice.choice(PLACES)
        mailbox = f"{first}.{last}.{self.number}".lower()
        return {
            "name": f"{first} {last}" if self.number % 5 else f"{last} {trade}",
            "address": f"{self.dice.randint(1, 400)} {self.dice.choice(WORDS['streets'])} Street",
            "city": city,
            "state": state,
            "postal_code": postal_code,
            "phone": f"(802) 555-01{self.dice.randint(0, 99):02}",
            "email": f"{mailbox}@example.com",
            "contract_term": self.dice.choice(("12", "24", "36", "60")),
            "monthly_rate": self.dice.choice(RATES),
            "ssn": f"900-{self.dice.randint(10, 99)}-{self.number % 10_000:04}",
        }

    def _word(self, kind):
        # The lengths of the lists have no common divisor, so names repeat only after thousands.
        return WORDS[kind][self.number % len(WORDS[kind])]


def add_customers(site, clock, number, *, stdout):
    """Add a number of customers: half of them from files, half of them over the API."""
    crowd, program = _Crowd(Random(number)), Office(site, clock).program()
    bar = ProgressBar(stdout, "Customers", number)
    done = 0
    for stage in range(STAGES):
        share = number * (stage + 1) // STAGES - done
        days_ago = DAYS - 20 - stage * (DAYS - 30) // STAGES
        clock.turn_to(
            days=days_ago, hour=crowd.dice.randint(6, 7), minute=crowd.dice.randint(0, 59)
        )
        _import(crowd, share // 2, f"leads-{clock.date:%Y-%m}.csv")
        for added in range(share - share // 2):
            _move(clock, crowd.dice, days_ago - 1 - added % 20)
            _send(crowd, program)
            bar.show(done + share // 2 + added + 1)
        done += share
    bar.end()


def _import(crowd, number, name):
    customers = [crowd.next() for _ in range(number)]
    if not customers:
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(customers[0]))
            writer.writeheader()
            writer.writerows(customers)
        output = StringIO()
        call_command("import_customers", path, company=LANTERN, user=ADMIN.name, stdout=output)


def _send(crowd, program):
    """Add a customer over the API. Every third one gets a new rate."""
    customer = program.send("POST", "/api/customers/", crowd.next())
    if crowd.number % 3 == 0:
        rate = {"monthly_rate": crowd.dice.choice(RATES), "phone": "(802) 555-0199"}
        program.send("PATCH", f"/api/customers/{customer['id']}/", rate)


def _move(clock, dice, days_ago):
    clock.turn_to(days=max(days_ago, 1), hour=dice.randint(8, 17), minute=dice.randint(0, 59))
