"""REPLACE on SQLite: the row it removes is logged, and triggers of the project are left alone."""

import pytest
from django.db import IntegrityError, connection
from django.db.models import Value
from django.db.models.functions import Replace

from tests.projects.crm.models import Code, Tag

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite alone needs it"),
]


def run(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def is_recursive():
    return run("PRAGMA recursive_triggers") == [(1,)]


@pytest.fixture
def counter(db):
    """A trigger that writes to its own table, as counters and search indexes do."""
    run(
        "CREATE TRIGGER count_names AFTER UPDATE ON crm_tag"
        " BEGIN UPDATE crm_tag SET name = name || '+' WHERE id = NEW.id; END"
    )
    yield
    run("DROP TRIGGER count_names")


class TestReplace:
    @pytest.mark.parametrize(
        "sql",
        [
            "REPLACE INTO crm_tag (id, name) VALUES (%s, 'b')",
            "INSERT OR REPLACE INTO crm_tag (id, name) VALUES (%s, 'b')",
            "insert or/* a */replace into crm_tag (id, name) values (%s, 'b')",
            "WITH a AS (SELECT 'b' AS name) REPLACE INTO crm_tag SELECT %s, name FROM a",
        ],
    )
    def test_old_row_is_logged(self, sql, log):
        tag = Tag.objects.create(name="a")
        log.clear()
        run(sql, tag.pk)
        assert log.values("kind") == [("delete",), ("create",)]
        assert not is_recursive()

    def test_update_or_replace(self, log):
        one, other = Tag.objects.create(name="a"), Tag.objects.create(name="b")
        log.clear()
        run("UPDATE OR REPLACE crm_tag SET id = %s WHERE id = %s", other.pk, one.pk)
        assert sorted(kind for (kind,) in log.values("kind")) == ["delete", "update"]

    def test_trigger_of_the_project_replaces(self, log):
        tag = Tag.objects.create(name="a")
        run(
            "CREATE TRIGGER replacing AFTER INSERT ON crm_code BEGIN"
            f" REPLACE INTO crm_tag (id, name) VALUES ({tag.pk}, 'b'); END"
        )
        log.clear()
        Code.objects.create(code="k", text="t")
        run("DROP TRIGGER replacing")
        assert sorted(log.values("entity_model", "kind")) == [
            ("crm.code", "create"),
            ("crm.tag", "create"),
            ("crm.tag", "delete"),
        ]

    def test_pragma_after_an_error(self):
        with pytest.raises(IntegrityError):
            run("REPLACE INTO crm_tag (id, name) VALUES (1, NULL)")
        assert not is_recursive()


@pytest.mark.usefixtures("counter")
class TestTriggersOfTheProject:
    def test_counter_counts_once(self, log):
        tag = Tag.objects.create(name="a")
        Tag.objects.filter(pk=tag.pk).update(name="b")
        Tag.objects.filter(pk=tag.pk).update(name=Replace("name", Value("b"), Value("REPLACE")))
        tag.refresh_from_db()
        assert tag.name == "REPLACE++"
