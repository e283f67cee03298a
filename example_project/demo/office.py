"""Browsers that are logged in, and programs with their tokens."""

from datetime import timedelta
from urllib.parse import urlsplit

from demo.browser import Browser, Program
from demo.people import INTEGRATION, LANTERN, PASSWORD, token

LOGGED_IN_FOR = timedelta(days=10)
"""Less than the two weeks after which Django's sessions end."""


class Office:
    """The people and programs at work on the site."""

    def __init__(self, site, clock):
        self.clock = clock
        self._site = site
        self._browsers = {}

    def of(self, person):
        """Return a person's browser, and log in again if the session would have ended."""
        browser, since = self._browsers.get(person, (None, None))
        if browser is None or self.clock.now - since > LOGGED_IN_FOR:
            browser = Browser(self._site, ip_address=person.ip_address)
            browser.log_in(person.name, PASSWORD)
            self._browsers[person] = browser, self.clock.now
        return browser

    def program(self):
        """Return the program that uses the API."""
        return Program(self._site, ip_address=INTEGRATION.ip_address, token=token())

    def customer(self, person, name):
        """Return the path of a customer's page, from the list of customers."""
        return urlsplit(self.of(person).open(f"/{LANTERN}/customers").link(name)).path
