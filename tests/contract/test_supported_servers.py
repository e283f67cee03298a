"""Servers and storage engines on which entries could be lost are errors of the system checks."""

from dataclasses import replace

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection

from django_customer_history.backends import backend_of, features_of
from django_customer_history.capture.checks import check_triggers
from tests.contract.conftest import run, skip_unless_mysql_protocol
from tests.projects.crm.models import Code

LATER = {"SQLite": (4, 0), "PostgreSQL": (99,), "MariaDB": (99, 1), "MySQL": (99, 1)}


def problems_of_servers(**options):
    ids = ("customer_history.E011", "customer_history.E012")
    return [one for one in check_triggers(**options) if one.id in ids]


@pytest.mark.django_db
class TestVersion:
    def test_this_server_is_supported(self):
        assert problems_of_servers(databases=["default"]) == []

    def test_not_asked_without_databases(self):
        assert problems_of_servers() == []

    def test_older_than_the_minimum(self, monkeypatch):
        features = replace(features_of(connection), minimum_versions=LATER)
        monkeypatch.setattr(type(backend_of(connection)), "features", features)
        (error,) = problems_of_servers(databases=["default"])
        product = connection.display_name
        minimum = ".".join(map(str, LATER[product]))
        found = ".".join(map(str, connection.get_database_version()))
        assert error.id == "customer_history.E011"
        assert error.msg == (
            f"Database 'default': {product} {found} is too old: the history is tested with"
            f" {product} {minimum} and later only."
        )
        assert error.hint == f"Upgrade the server to {product} {minimum} or later."

    def test_minimum_of_each_product(self):
        minimum = {
            "sqlite": {"SQLite": (3, 40)},
            "postgresql": {"PostgreSQL": (14,)},
            "mysql": {"MariaDB": (10, 6), "MySQL": (8, 4)},
        }
        assert features_of(connection).minimum_versions == minimum[connection.vendor]


@pytest.mark.django_db(transaction=True)
class TestStorageEngine:
    @pytest.fixture(autouse=True)
    def _only_here(self, transactional_db):
        skip_unless_mysql_protocol()

    @pytest.fixture(params=["MyISAM", "MEMORY"])
    def engine(self, request):
        run(f"ALTER TABLE crm_code ENGINE = {request.param}")
        yield request.param
        run("ALTER TABLE crm_code ENGINE = InnoDB")

    def test_of_a_tracked_table(self, engine):
        (error,) = problems_of_servers(databases=["default"])
        assert (error.id, error.msg, error.hint) == (
            "customer_history.E012",
            f"Database 'default': the table 'crm_code' has the storage engine {engine}, where a"
            " change can stay although its entry was not written.",
            "Run: ALTER TABLE `crm_code` ENGINE = InnoDB",
        )

    def test_migrate_refuses(self, engine):
        with pytest.raises(SystemCheckError, match=r"customer_history\.E012"):
            call_command("migrate", verbosity=0, skip_checks=False)

    def test_why(self, engine, log):
        """The row stays, although the statement failed after it.

        With GTIDs, MySQL refuses each statement that writes to both kinds of tables.
        """
        if (
            dict(run("SHOW VARIABLES LIKE 'enforce_gtid_consistency'")).get(
                "enforce_gtid_consistency"
            )
            == "ON"
        ):
            with pytest.raises(DatabaseError, match="GTID consistency"):
                Code.objects.create(code="a", text="Siren")
            return
        Code.objects.create(code="a", text="Siren")
        with pytest.raises(DatabaseError, match="Duplicate"):
            run("INSERT INTO crm_code VALUES ('b', 'Bell'), ('a', 'Horn')")
        assert Code.objects.filter(code="b").exists()
        assert "b" not in [entry.entity_id for entry in log.entries()]
        Code.objects.all().delete()

    def test_of_other_tables(self):
        """A table that is not tracked may have any engine."""
        run("CREATE TABLE history_test_other (id INT PRIMARY KEY) ENGINE = MyISAM")
        try:
            assert problems_of_servers(databases=["default"]) == []
        finally:
            run("DROP TABLE history_test_other")
