"""SQLite changes a table by a copy: it takes the table's name without a look at each trigger."""

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from django_customer_history.capture.triggers import compare_triggers
from tests.factories import created

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="others change tables in place"),
]


@isolate_apps("tests.projects.evolving")
def tree():
    class Tree(models.Model):
        name = models.CharField(max_length=20, unique=True)
        parent = models.ForeignKey("self", models.CASCADE, null=True)
        height = models.IntegerField(default=1)

        class Meta:
            app_label = "evolving"
            db_table = "evolving_tree"
            constraints = [
                models.CheckConstraint(condition=models.Q(height__gt=0), name="tree_height")
            ]
            indexes = [models.Index(fields=["height"], name="tree_index")]

    return Tree


def lengthen(model):
    old, new = model._meta.get_field("name"), models.CharField(max_length=30, unique=True)
    new.set_attributes_from_name("name")
    new.model = model
    with connection.schema_editor() as editor:
        editor.alter_field(model, old, new)


def rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def schema():
    return rows(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
        " WHERE type <> 'trigger' AND tbl_name LIKE '%tree%' ORDER BY name"
    )


def indexes(found):
    return [one for one in found if one[0] == "index"]


def tables(found):
    return [sql for kind, _name, _table, sql in found if kind == "table"]


class TestCopies:
    def test_schema_names_the_table(self):
        model = tree()
        with created(Tree=(model, {"subject": "self"})):
            before = schema()
            lengthen(model)
            after = schema()
        assert indexes(before) == indexes(after)
        assert len(indexes(after)) == 3
        (table,) = tables(after)
        assert 'REFERENCES "evolving_tree" ("id")' in table
        assert 'CHECK ("height" > 0)' in table

    def test_session_is_as_before(self):
        model = tree()
        with created(Tree=(model, {"subject": "self"})):
            lengthen(model)
            assert rows("PRAGMA legacy_alter_table") == [(0,)]
            assert rows("PRAGMA foreign_key_check") == []
            assert not compare_triggers(connection, tables=["evolving_tree"])

    def test_a_real_rename_is_followed(self):
        model = tree()
        with created(Tree=(model, {"subject": "self"})):
            with connection.schema_editor() as editor:
                editor.alter_db_table(model, "evolving_tree", "evolving_trees")
            (table,) = tables(schema())
            assert 'REFERENCES "evolving_trees" ("id")' in table
            with connection.schema_editor() as editor:
                editor.alter_db_table(model, "evolving_trees", "evolving_tree")
