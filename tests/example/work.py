"""Work on a customer's pages, with their forms and buttons."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from demo.browser import Browser


@dataclass(frozen=True, slots=True)
class Work:
    """A user's browser on the pages of one customer."""

    browser: Browser
    customer: str
    """The path of the customer's page."""

    def edit(self, **changes):
        """Edit the customer with the form."""
        self.browser.submit(f"{self.customer}/edit", "Save", changes)

    def press(self, button, path="", **changes):
        """Press a button of the customer's page, or of a page of its records."""
        self.browser.submit(f"{self.customer}{path}", button, changes)

    def add(self, kind, button, *, files=None, **values):
        """Add a record; return the path of its page."""
        page = self.browser.submit(f"{self.customer}/{kind}", button, values, files=files)
        pattern = re.compile(rf"{re.escape(self.customer)}/{kind}/(\d+)")
        found = [pattern.match(urlsplit(link).path) for link in page.urls]
        newest = max((match for match in found if match), key=lambda match: int(match.group(1)))
        return newest.group(0)

    def save(self, path, **changes):
        """Fill in the form at a path and save it."""
        self.browser.submit(path, "Save", changes)

    def step(self, path, button):
        """Press a button of a record's page."""
        self.browser.submit(path, button)

    def delete(self, path, button):
        """Delete a record, on the page that confirms it."""
        self.browser.submit(f"{path}/delete", button)

    def invoice(self, description, price, **others):
        """Generate an invoice with one line; return the path of its page."""
        values = {"lines-0-description": description, "lines-0-unit_price": price, **others}
        path = f"{self.customer}/invoices/new"
        return urlsplit(self.browser.submit(path, "Generate invoice", values).url).path
