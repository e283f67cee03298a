"""The same writes to models of every shape: entries say what Django says of the record."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.template import Context, Template

from django_customer_history import history
from django_customer_history.exceptions import NotRegisteredError
from django_customer_history.models import Entry
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from tests.conftest import Log
from tests.projects.shapes.models import (
    AccountHolder,
    BelowLinked,
    Both,
    Bud,
    Call,
    CallNote,
    Chapter,
    Client,
    ClientProxy,
    Empty,
    Firm,
    Gift,
    Group,
    KeyOnly,
    Leaf,
    LeafProxy,
    Left,
    Linked,
    Lot,
    Mark,
    Membership,
    Occasion,
    Odd,
    OwnershipProxy,
    Pair,
    Party,
    Plain,
    PlainProxy,
    Remark,
    Right,
    Root,
    Twig,
    Visit,
    Volume,
)

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Shape:
    model: Any
    label: str
    """The label of the entity."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Values that only this model has, as Django stores them."""
    unlogged: frozenset[str] = frozenset({"id"})
    """The keys of the record and of its parents."""
    links: tuple[str, ...] = ("marks",)
    subject: str = "client"

    def __str__(self):
        return self.model.__name__


SHAPES = [
    Shape(Plain, "shapes.plain"),
    Shape(PlainProxy, "shapes.plain"),
    Shape(Leaf, "shapes.leaf", unlogged=frozenset({"id", "root_ptr"})),
    Shape(LeafProxy, "shapes.leaf", unlogged=frozenset({"id", "root_ptr"})),
    Shape(Twig, "shapes.twig", {"height": 3}, unlogged=frozenset({"id", "root_ptr", "leaf_ptr"})),
    Shape(Linked, "shapes.linked", unlogged=frozenset({"id", "uid"})),
    Shape(BelowLinked, "shapes.belowlinked", {}, frozenset({"id", "uid", "linked_ptr"}), ()),
    Shape(Lot, "shapes.lot", unlogged=frozenset({"id", "origin"})),
    Shape(Both, "shapes.both", unlogged=frozenset({"left_id", "right_id", "left_ptr"})),
    Shape(Party, "shapes.party"),
    Shape(Firm, "shapes.firm", {"alias": "b"}, unlogged=frozenset({"id", "party_ptr"})),
    Shape(Odd, "shapes.odd"),
    Shape(Pair, "shapes.pair", {"shelf": 'a "b"', "number": 7}, frozenset({"shelf", "number"}), ()),
    Shape(Remark, "shapes.remark", subject="target"),
    Shape(Call, "shapes.call", unlogged=frozenset({"id", "remark_ptr"}), subject="target"),
]


@pytest.fixture(autouse=True)
def others():
    """Rows that a wrong join would take: keys of different tables are never equal."""
    for number in range(3):
        Client.objects.create(name=f"other {number}")
    for _ in range(5):
        Left.objects.create(name="other")
    Right.objects.create()
    for _ in range(2):
        Root.objects.create(name="other")
    Occasion.objects.create(group=Group.objects.create(code="o", name="other"))


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


def text_of(value):
    """Return the text that the log has of a value, as the documentation says it."""
    return None if value is None else str(getattr(value, "pk", value))


def key_of(record):
    if isinstance(record, Pair):
        return f'["a \\"b\\"","{record.number}"]'
    return str(record.pk)


def fields_of(shape, record):
    """Return the values of a record as Django reads them, by the name in the log."""
    fresh = shape.model.objects.get(pk=record.pk)
    values = {}
    for one in fresh._meta.concrete_fields:
        if one.name not in shape.unlogged and one.name != "udf":
            values[one.name] = text_of(getattr(fresh, one.attname))
    for key, value in (fresh.udf or {}).items():
        values[f"udf.{key}"] = f'"{value}"'
    return {name: text for name, text in values.items() if text is not None}


def create(shape, client):
    record = shape.model.objects.create(
        **{"name": "first", "udf": {"color": "red"}, shape.subject: client}, **shape.extra
    )
    # After a creation, Django has wrong keys of parents in memory if their keys differ.
    return shape.model.objects.get(pk=record.pk)


class TestShapes:
    def test_create(self, shape):
        client = ClientProxy.objects.create(name="Acme")
        log = Log()
        record = create(shape, client)
        (entry,) = [one for one in log.entries() if one.entity_model == shape.label]
        assert (entry.kind, entry.entity_id, entry.entity_label) == (
            "create",
            key_of(record),
            "first",
        )
        assert (entry.subject_model, entry.subject_id) == ("shapes.client", str(client.pk))
        assert entry.changes == {
            name: [None, text] for name, text in fields_of(shape, record).items()
        }

    def test_update(self, shape):
        client, other = Client.objects.create(name="A"), Client.objects.create(name="B")
        record = create(shape, client)
        others = None if shape.model is Pair else create(shape, other)
        log = Log()
        shape.model.objects.filter(pk=record.pk).update(name="second")
        shape.model.objects.filter(pk=record.pk).update(udf={"color": "blue", "size": "9"})
        for name, value in shape.extra.items():
            if name not in shape.unlogged:
                shape.model.objects.filter(pk=record.pk).update(**{name: f"{value}9"})
        entries = [one for one in log.entries() if one.entity_model == shape.label]
        changes = [
            {"name": ["first", "second"]},
            {"udf.color": ['"red"', '"blue"'], "udf.size": [None, '"9"']},
            *(
                {name: [str(value), f"{value}9"]}
                for name, value in shape.extra.items()
                if name not in shape.unlogged
            ),
        ]
        assert [one.changes for one in entries] == changes
        assert {one.entity_id for one in entries} == {key_of(record)}
        assert {one.entity_label for one in entries} == {"second"}
        assert {one.subject_id for one in entries} == {str(client.pk)}
        assert others is None or others.pk != record.pk

    def test_move(self, shape):
        """A change of the foreign key is on the tabs of both subjects."""
        old, new = Client.objects.create(name="A"), Client.objects.create(name="B")
        record = create(shape, old)
        log = Log()
        name = "client" if shape.subject == "client" else "object_id"
        value = new if shape.subject == "client" else str(new.pk)
        shape.model.objects.filter(pk=record.pk).update(**{name: value})
        entries = [one for one in log.entries() if one.entity_model == shape.label]
        assert [one.changes for one in entries] == [{name: [str(old.pk), str(new.pk)]}] * 2
        assert {one.entity_id for one in entries} == {key_of(record)}
        assert {one.subject_id for one in entries} == {str(old.pk), str(new.pk)}

    def test_delete(self, shape):
        client = Client.objects.create(name="Acme")
        record = create(shape, client)
        key, fields = key_of(record), fields_of(shape, record)
        log = Log()
        record.delete()
        (entry,) = [one for one in log.entries() if one.entity_model == shape.label]
        assert (entry.kind, entry.entity_id, entry.entity_label) == ("delete", key, "first")
        assert (entry.subject_model, entry.subject_id) == ("shapes.client", str(client.pk))
        assert entry.changes == {name: [text, None] for name, text in fields.items()}

    def test_links(self, shape):
        if not shape.links:
            pytest.skip("Django cannot link records with such keys")
        client = Client.objects.create(name="Acme")
        record, mark = create(shape, client), Mark.objects.create(code="m")
        log = Log()
        record.marks.add(mark)
        record.marks.clear()
        record.marks.add(mark)
        record.delete()
        entries = [one for one in log.entries() if one.entity_model == shape.label]
        key = str(mark.pk)
        assert [(one.kind, one.changes) for one in entries[:4]] == [
            ("add", {"marks": [None, key]}),
            ("remove", {"marks": [key, None]}),
            ("add", {"marks": [None, key]}),
            ("remove", {"marks": [key, None]}),
        ]
        assert [one.kind for one in entries[4:]] == ["delete"]
        assert {one.entity_label for one in entries} == {"first"}
        assert {(one.subject_model, one.subject_id) for one in entries} == {
            ("shapes.client", str(client.pk))
        }
        assert len({one.entity_id for one in entries}) == 1

    def test_baseline(self, shape):
        """A row from before tracking began gets the entry that its creation would have made."""
        client = Client.objects.create(name="Acme")
        with history.paused(reason="older than the log"):
            record = create(shape, client)
            if shape.links:
                record.marks.add(Mark.objects.create(code="m"))
        log = Log()
        call_command("history_baseline", shape.label, verbosity=0)
        entries = [one for one in log.entries() if one.entity_id == key_of(record)]
        written = {name: text for one in entries for name, (_, text) in one.changes.items()}
        expected = fields_of(shape, record)
        if shape.links:
            expected["marks"] = str(Mark.objects.get().pk)
        assert written == expected
        assert {(one.entity_model, one.subject_id) for one in entries} == {
            (shape.label, str(client.pk))
        }
        log.clear()
        call_command("history_baseline", shape.label, verbosity=0)
        assert log.entries() == []


class TestRegistrations:
    def test_abstract_model_registers_children(self):
        assert registry.of(Plain).label == ("name",)

    def test_proxy_is_its_model(self):
        assert registry.of(PlainProxy) is registry.of(Plain)

    def test_record_without_a_tab(self, rf):
        leaf = Leaf.objects.create(name="n")
        message = 'shapes.Leaf is not registered with subject="self"'
        for read in (
            lambda: history.entries_for(leaf),
            lambda: history.entries_for(LeafProxy, leaf.pk),
            lambda: history.record("Seen", subject=leaf),
        ):
            with pytest.raises(NotRegisteredError, match=message):
                read()
        with pytest.raises(NotRegisteredError, match=r"shapes\.Mark is not registered"):
            history.entries_for(Mark, 1)
        template = Template("{% load customer_history %}{% history_tab subject %}")
        with pytest.raises(ImproperlyConfigured, match=r"shapes\.Leaf has no history of its own"):
            template.render(Context({"request": rf.get("/"), "subject": leaf}))

    def test_record_without_a_key(self):
        for given in ((Client(name="new"),), (Client, None), (Volume, ("s", None))):
            with pytest.raises(ValueError, match="got no key of a shapes"):
                history.entries_for(*given)
        with pytest.raises(TypeError, match="takes a record, or a model and a key, not None"):
            history.entries_for(None)

    def test_event_about_a_proxy(self):
        client = ClientProxy.objects.create(name="Acme")
        entry = history.record("Seen", subject=client)
        assert (entry.subject_model, entry.entity_model) == ("shapes.client", "shapes.client")
        assert entry.entity_label == "Acme"

    def test_entries_of_proxy(self):
        client = ClientProxy.objects.create(name="Acme")
        assert [one.kind for one in history.entries_for(client)] == ["create"]


class TestParents:
    def test_registered_parent_has_own_entries(self):
        firm = Firm.objects.create(name="n", alias="a")
        log = Log()
        Firm.objects.filter(pk=firm.pk).update(name="m")
        Firm.objects.filter(pk=firm.pk).update(alias="b")
        assert sorted(log.values("entity_model", "changes"), key=str) == [
            ("shapes.firm", {"alias": ["a", "b"]}),
            ("shapes.firm", {"name": ["n", "m"]}),
            ("shapes.party", {"name": ["n", "m"]}),
        ]

    def test_parent_without_child_is_not_logged(self):
        root, mark = Root.objects.create(name="r"), Mark.objects.create(code="m")
        log = Log()
        root.marks.add(mark)
        root.friends.add(root)
        Root.objects.filter(pk=root.pk).update(name="s")
        Occasion.objects.update(note="n", group=Group.objects.get())
        root.delete()
        assert log.entries() == []

    def test_links_to_the_same_model(self):
        one, two = Leaf.objects.create(name="one"), Twig.objects.create(name="two")
        log = Log()
        one.friends.add(two)
        two.friends.add(one)
        assert sorted(log.values("entity_model", "entity_id", "entity_label", "changes")) == [
            ("shapes.leaf", str(one.pk), "one", {"friends": [None, str(two.pk)]}),
            ("shapes.leaf", str(two.pk), "two", {"friends": [None, str(one.pk)]}),
            ("shapes.twig", str(two.pk), "two", {"friends": [None, str(one.pk)]}),
        ]


class TestHiddenFields:
    """What a child hides is hidden in the entries of its registered parent, too."""

    @pytest.fixture
    def entries(self):
        log = Log()
        holder = AccountHolder.objects.create(
            name="n", tax_number="DE-4711-0815", pin="t0p-s3cret", ssn="123-45-6789"
        )
        AccountHolder.objects.filter(pk=holder.pk).update(pin="other-pin")
        return log.entries()

    def test_secret_values_are_not_stored(self, entries):
        assert {one.entity_model for one in entries} == {"shapes.holder", "shapes.accountholder"}
        for entry in entries:
            assert entry.changes["pin"] == entry.changes["pin_key"] == [None, None]

    def test_confidential_values_are_masked(self, entries, django_user_model):
        reader = django_user_model.objects.create_user("reader")
        reader.user_permissions.set(Permission.objects.filter(codename="view_entry"))
        shown = {}
        for entry in Timeline.of_everything(reader).page(limit=50).entries:
            if entry.kind == "create" and "holder" in entry.entity.model:
                shown[entry.entity.model] = {
                    change.field: (change.new_display, change.masked) for change in entry.changes
                }
        for changes in shown.values():
            assert changes["tax_number"] == ("*****", True)
            assert changes["ssn"] == ("***-**-6789", True)
            assert changes["ssn_key"] == ("*****", True)
        assert shown.keys() == {"shapes.holder", "shapes.accountholder"}


class TestKeys:
    def test_subject_with_composite_key(self):
        volume = Volume.objects.create(shelf="s", number=4, code="c", name="Vol")
        chapter = Chapter.objects.create(volume=volume, number=1)
        Chapter.objects.create(number=2)
        log = Log()
        Chapter.objects.filter(pk=chapter.pk).update(number=3)
        Chapter.objects.filter(volume=None).update(number=5)
        chapter.delete()
        volume.delete()
        assert [one.kind for one in history.entries_for(Volume, ("s", 4))] == [
            "delete",
            "delete",
            "update",
            "create",
            "create",
        ]
        assert log.values("entity_label", "subject_id") == [
            ("Vol 3", '["s","4"]'),
            ("5", None),
            ("Vol 3", '["s","4"]'),
            ("Vol", '["s","4"]'),
        ]

    def test_tab_of_composite_key(self, django_user_model):
        admin = django_user_model.objects.create_superuser("admin")
        volume = Volume.objects.create(shelf="s", number=4, code="c", name="Vol")
        Chapter.objects.create(volume=volume, number=1)
        for timeline in (
            Timeline.of_subject(admin, Volume, volume.pk),
            Timeline.of_subject(admin, Volume, '["s","4"]'),
            Timeline.of_everything(admin),
        ):
            entries = timeline.page(limit=10).entries
            assert [(one.entity.model, one.subject.label) for one in entries[:2]] == [
                ("shapes.chapter", "Vol"),
                ("shapes.volume", "Vol"),
            ]

    def test_no_column_to_log(self):
        KeyOnly.objects.create().delete()
        Empty.objects.create().delete()
        entries = Entry.objects.filter(entity_model__in=["shapes.keyonly", "shapes.empty"])
        assert [(one.kind, one.changes) for one in entries.order_by("id")] == [
            ("create", {}),
            ("delete", {}),
            ("create", {}),
            ("delete", {}),
        ]


class TestPaths:
    def test_over_inherited_foreign_key(self):
        client = Client.objects.create(name="A")
        leaf = Leaf.objects.create(name="leaf", client=client)
        log = Log()
        bud = Bud.objects.create(leaf_id=leaf.pk, name="bud")
        bud.delete()
        assert log.values("subject_id", "entity_label") == [(str(client.pk), "leaf bud")] * 2

    def test_over_generic_foreign_key(self):
        client = Client.objects.create(name="A")
        call = Call.objects.create(name="call", target=client)
        log = Log()
        CallNote.objects.create(call=call)
        Remark.objects.filter(pk=call.pk).update(
            content_type=ContentType.objects.get_for_model(Mark)
        )
        CallNote.objects.create(call=call)
        assert [
            (one.subject_id, one.entity_label)
            for one in log.entries()
            if one.entity_model == "shapes.callnote"
        ] == [(str(client.pk), "call"), (None, "call")]


class TestThroughModels:
    @pytest.fixture
    def group(self):
        return Group.objects.create(code="g", name="G", client=Client.objects.create(name="A"))

    @pytest.fixture
    def mark(self):
        return Mark.objects.create(code="m")

    def rows(self, log):
        return log.values("entity_model", "entity_id", "subject_id", "entity_label", "changes")

    def expected(self, group, *changes):
        of_group = ("shapes.group", str(group.pk), str(group.client.pk), "G")
        return [(*of_group, one) for one in changes]

    def test_foreign_keys_to_other_columns(self, group, mark):
        log, key = Log(), str(mark.pk)
        group.members.add(mark)
        Membership.objects.get().delete()
        group.members.add(mark)
        mark.delete()
        changes = [{"members": [None, key]}, {"members": [key, None]}]
        assert self.rows(log) == self.expected(group, *changes, *changes)

    def test_two_fields_over_one_model(self, group, mark):
        other = Mark.objects.create(code="o")
        log = Log()
        Gift.objects.create(group=group, giver=mark, taker=other)
        Gift.objects.update(taker=mark)
        assert sorted(self.rows(log), key=str) == sorted(
            self.expected(
                group,
                {"givers": [None, str(mark.pk)]},
                {"takers": [None, str(other.pk)]},
                {"takers": [str(other.pk), None]},
                {"takers": [None, str(mark.pk)]},
            ),
            key=str,
        )

    def test_inherited_foreign_key(self, group, mark):
        other = Group.objects.create(code="x", name="X", client=group.client)
        log, key = Log(), str(mark.pk)
        visit = Visit.objects.create(group=group, mark=mark)
        Visit.objects.update(note="n")
        Visit.objects.update(group=other)
        visit.delete()
        of_other = ("shapes.group", str(other.pk), str(group.client.pk), "X")
        assert self.rows(log) == [
            *self.expected(group, {"visits": [None, key]}, {"visits": [key, None]}),
            (*of_other, {"visits": [None, key]}),
            (*of_other, {"visits": [key, None]}),
        ]

    def test_proxy_of_registered_model(self, group, mark):
        log = Log()
        group.owners.add(mark)
        OwnershipProxy.objects.all().delete()
        assert log.values("kind", "entity_model", "subject_id", "entity_label") == [
            ("create", "shapes.ownership", str(group.client.pk), "G m"),
            ("delete", "shapes.ownership", str(group.client.pk), "G m"),
        ]
