"""Keys of a class of the project's own, keys in another case, and keys that are too long."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import isolate_apps

from django_customer_history import history
from django_customer_history.capture.registration_checks import check_registrations
from django_customer_history.models import Entry
from tests.factories import created

pytestmark = pytest.mark.django_db(transaction=True)


class Token:
    """A key that is neither a text nor a number, like a ULID."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return isinstance(other, Token) and self.number == other.number

    def __hash__(self):
        return hash(self.number)


class TokenField(models.CharField):
    """Stores a token as digits, and takes nothing but tokens and such digits."""

    def get_prep_value(self, value):
        if value is None:
            return None
        return f"tk{value.number:06}" if isinstance(value, Token) else str(value)

    def from_db_value(self, value, expression, connection):
        return None if value is None else Token(int(value.removeprefix("tk")))

    def to_python(self, value):
        if value is None or isinstance(value, Token):
            return value
        return Token(int(value.removeprefix("tk")))


@pytest.fixture
def firms():
    with isolate_apps("tests"):

        class Firm(models.Model):
            id = TokenField(primary_key=True, max_length=20)
            name = models.CharField(max_length=40)

            class Meta:
                app_label = "own_keys"

        class Memo(models.Model):
            firm = models.ForeignKey(Firm, models.CASCADE)
            text = models.CharField(max_length=40)

            class Meta:
                app_label = "own_keys"

    options = {"subject": "self", "label": "name"}
    with created(Firm=(Firm, options), Memo=(Memo, {"subject": "firm"})):
        yield Firm, Memo


@pytest.fixture
def codes():
    """A subject with a key of text that the database may compare without its case."""
    with isolate_apps("tests"):
        collation = "nocase" if connection.vendor == "sqlite" else None

        class Holder(models.Model):
            code = models.CharField(primary_key=True, max_length=20, db_collation=collation)
            name = models.CharField(max_length=20, default="x")
            links = models.ManyToManyField("self", symmetrical=False)

            class Meta:
                app_label = "own_keys"

        class Slip(models.Model):
            holder = models.ForeignKey(Holder, models.CASCADE)

            class Meta:
                app_label = "own_keys"

        class Line(models.Model):
            slip = models.ForeignKey(Slip, models.CASCADE)

            class Meta:
                app_label = "own_keys"

        class Scan(models.Model):
            content_type = models.ForeignKey(ContentType, models.CASCADE, db_constraint=False)
            object_id = models.CharField(max_length=20)
            of = GenericForeignKey()

            class Meta:
                app_label = "own_keys"

    with created(
        Holder=(Holder, {"subject": "self", "label": "code"}),
        Slip=(Slip, {"subject": "holder"}),
        Line=(Line, {"subject": "slip__holder"}),
        Scan=(Scan, {"subject": "of"}),
    ):
        yield Holder, Slip, Line, Scan


class TestOwnClass:
    def test_python_api_takes_it(self, firms):
        firm_model, memo_model = firms
        firm = firm_model.objects.create(id=Token(7), name="Seven")
        memo = memo_model.objects.create(firm=firm, text="hello")
        history.record("Called", subject=firm, changes={"firm": (None, firm)})
        logged = [(one.action, one.subject_id) for one in history.entries_for(firm)]
        assert logged == [("Called", "tk000007"), ("Create", "tk000007"), ("Create", "tk000007")]
        assert history.entries_for(firm_model, Token(7)).count() == 3
        assert Entry.objects.of_entity(firm_model, Token(7)).count() == 2
        assert history.entries_for(firm).first().changes == {"firm": [None, "tk000007"]}
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert history.as_of(firm, later) == {"name": "Seven"}
        assert history.as_of(firm_model, later, key=Token(7)) == {"name": "Seven"}
        assert history.as_of(memo, later) == {"firm": Token(7), "text": "hello"}


class TestOtherCase:
    def test_every_path_leads_to_the_row(self, codes):
        holder_model, slip_model, line_model, scan_model = codes
        holder = holder_model.objects.create(code="acme")
        other = holder_model.objects.create(code="other")
        try:
            slip = slip_model.objects.create(holder_id="ACME")
        except IntegrityError:
            return  # For this database it is another key.
        line_model.objects.create(slip=slip)
        link = holder_model.links.through
        link.objects.create(from_holder_id="ACME", to_holder_id="OTHER")
        kind = ContentType.objects.create(app_label="own_keys", model="holder")
        scan_model.objects.create(content_type_id=kind.pk, object_id="ACME")
        slip_model.objects.update(holder=other)
        link.objects.all().delete()
        shown = [
            (one.kind, one.entity_model, one.entity_id)
            for one in Entry.objects.of_subject(holder_model, holder.pk).order_by("id")
        ]
        assert shown == [
            ("create", "own_keys.holder", "acme"),
            ("create", "own_keys.slip", str(slip.pk)),
            ("create", "own_keys.line", "1"),
            ("add", "own_keys.holder", "acme"),
            ("create", "own_keys.scan", "1"),
            ("update", "own_keys.slip", str(slip.pk)),
            ("remove", "own_keys.holder", "acme"),
        ]
        added = Entry.objects.get(kind="add", entity_model="own_keys.holder")
        assert added.changes == {"links": [None, "other"]}

    def test_a_key_without_its_row(self, codes):
        _holder, slip_model, *_ = codes
        # PostgreSQL checks at the end of the transaction, MySQL at once.
        with connection.constraint_checks_disabled(), transaction.atomic():
            slip = slip_model.objects.create(holder_id="Gone")
            assert Entry.objects.of_entity(slip_model, slip.pk).get().subject_id == "Gone"
            slip_model.objects.all().delete()


class TestLength:
    def test_check_of_long_keys(self):
        with isolate_apps("tests"):

            class Long(models.Model):
                id = models.CharField(primary_key=True, max_length=256)

                class Meta:
                    app_label = "own_keys"

            class Endless(models.Model):
                id = models.TextField(primary_key=True)

                class Meta:
                    app_label = "own_keys"

            class Short(models.Model):
                id = models.CharField(primary_key=True, max_length=255)

                class Meta:
                    app_label = "own_keys"

        history.register(Long)
        history.register(Endless)
        history.register(Short)
        try:
            found = [
                (one.obj, one.id)
                for one in check_registrations()
                if one.obj in (Long, Endless, Short)
            ]
        finally:
            for model in (Long, Endless, Short):
                history.unregister(model)
        assert found == [(Long, "customer_history.E045"), (Endless, "customer_history.W045")]


class TestClosedCursor:
    def test_driver_raises_its_own_error(self):
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        with pytest.raises(connection.Database.Error):
            cursor.cursor.execute("SELECT 1")
