"""Connections to databases that a test makes itself."""

from contextlib import contextmanager

from django.db import connection, connections


@contextmanager
def other_database(alias, **settings):
    """Open another database than that of the tests, with the same settings but for those given."""
    connections.settings[alias] = {**connection.settings_dict, **settings}
    connections[alias].connect()
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias], connections.settings[alias]
