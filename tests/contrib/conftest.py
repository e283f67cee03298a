"""Fixtures for workers in other processes: a database that they can reach."""

import os

import pytest
from django.db import connection, connections


@pytest.fixture
def shared_database(transactional_db, tmp_path):
    """Return the URL of the test database. On SQLite, a copy in a file replaces it."""
    if connection.vendor != "sqlite":
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        yield f"{server}/{connection.settings_dict['NAME']}"
        return
    in_memory, path = connections["default"], tmp_path / "shared.sqlite3"
    on_file = in_memory.copy()
    on_file.settings_dict["NAME"] = str(path)
    on_file.connect()
    in_memory.connection.backup(on_file.connection)
    connections["default"] = on_file
    name = connections.settings["default"]["NAME"]
    connections.settings["default"]["NAME"] = str(path)  # for the connections of other threads
    yield f"sqlite:///{path}"
    connections.settings["default"]["NAME"] = name
    on_file.close()
    connections["default"] = in_memory
