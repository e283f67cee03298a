"""Mistakes are found by the system checks, with an id and a hint; none is a traceback."""

import pytest
from django.core.management import call_command
from django.db import connection, connections, models
from django.test.utils import isolate_apps

from django_customer_history import (
    checks,
    history,
    masks,
)
from django_customer_history.backends import backend_of
from django_customer_history.capture.triggers import (
    remove_all,
    synchronize_triggers,
)
from django_customer_history.exceptions import (
    CaptureError,
    NotRegisteredError,
    UnsupportedDatabaseError,
)
from django_customer_history.models import AuditedModel
from django_customer_history.registration.inheritance import register_subclasses
from django_customer_history.registration.registry import (
    Registry,
    registration_of,
    registry,
)
from tests.projects.crm.models import Code, Customer, Invoice, InvoiceLine, Note, Stock, Tag, Ticket


@pytest.fixture
def registered(monkeypatch):
    """Put registrations in the place of those of the project."""
    fresh = Registry()
    monkeypatch.setattr(checks, "registry", fresh)

    def register(model, **options):
        fresh.add(registration_of(model, **options))
        return fresh

    return register


def found(messages):
    return [(message.id, message.msg) for message in messages]


@pytest.mark.django_db(databases="__all__")
def test_the_registrations_of_the_tests_are_right():
    assert checks.check_registrations() == []
    assert checks.check_settings() == []
    assert checks.check_middleware() == []
    assert checks.check_databases() == []
    call_command("check")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "nmae"}, "label='nmae' names no field of crm.Customer."),
        ({"exclude": ["x"]}, "exclude='x' names no field of crm.Customer."),
        ({"only": ["x"]}, "only='x' names no field of crm.Customer."),
        ({"secret": "x"}, "secret='x' names no field of crm.Customer."),
        ({"m2m": ["name"]}, "m2m='name' names no many-to-many field of crm.Customer."),
        ({"events": {"tags": "x"}}, "events='tags' names no column of crm.Customer."),
        ({"json_keys": "name"}, "json_keys='name' names no JSON field of crm.Customer."),
        (
            {
                "reason_required": ["rate", "delete", "tags", "search_text"],
                "exclude": "search_text",
            },
            "reason_required='search_text' names no logged field of crm.Customer.",
        ),
        (
            {"key_labels": {"name": dict}},
            "key_labels='name' names no field that is logged key by key of crm.Customer.",
        ),
        (
            {"display": {"rat": str}},
            "display='rat' names no column without a relation of crm.Customer.",
        ),
        (
            {"display": {"name.key": str}},
            "display='name.key' names no column without a relation of crm.Customer.",
        ),
        ({"confidential": {"x": masks.FULL}}, "confidential='x' names no field of crm.Customer."),
    ],
)
def test_an_unknown_field(registered, options, message):
    registered(Customer, subject="self", **options)
    (error,) = checks.check_registrations()
    assert (error.id, error.msg) == ("customer_history.E002", message)
    assert error.hint.startswith("Its fields are: ")


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("cutsomer", "crm.InvoiceLine has no field 'cutsomer', so 'cutsomer' leads nowhere"),
        ("invoice__x", "crm.Invoice has no field 'x', so 'invoice__x' leads nowhere"),
        ("product", "crm.InvoiceLine.product is no foreign key, so 'product' cannot follow it"),
        ("invoice", "'invoice' leads to crm.Invoice, which is not registered with subject="),
    ],
)
def test_a_subject_path_that_reaches_no_subject_model(registered, subject, reason):
    registered(Customer, subject="self")
    registered(Invoice, subject="customer")
    registered(InvoiceLine, subject=subject)
    (error,) = checks.check_registrations()
    assert error.id == "customer_history.E003"
    assert reason in error.msg
    assert 'subject="self"' in error.hint


def test_registering_twice_with_other_options_is_an_error_and_with_the_same_is_not(registered):
    registered(Tag, label="name")
    registered(Tag, label=["name"])
    assert checks.check_registrations() == []
    registered(Tag, exclude="name")
    assert found(checks.check_registrations()) == [
        ("customer_history.E004", "crm.Tag is registered twice, with different options.")
    ]


def test_a_secret_as_a_label(registered):
    registered(Customer, subject="self", label="portal_password")
    assert [one.id for one in checks.check_registrations()] == ["customer_history.E005"]


def test_a_key_that_is_confidential(registered):
    registered(Code, subject="self", confidential={"code": masks.FULL, "text": masks.FULL})
    registered(Stock, confidential={"product": masks.FULL, "quantity": masks.FULL})
    assert found(checks.check_registrations()) == [
        (
            "customer_history.E010",
            "crm.Code calls its key 'code' confidential, which stands in every entry, link and"
            " address.",
        ),
        (
            "customer_history.E010",
            "crm.Stock calls its key 'product' confidential, which stands in every entry, link and"
            " address.",
        ),
    ]


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (
            {"display": {"udf.fee": "$"}, "json_keys": "udf"},
            "display['udf.fee'] of crm.Ticket is '$'.",
            "Give a function that takes the value.",
        ),
        (
            {"key_labels": {"udf": {"a": "A"}}, "json_keys": "udf"},
            "key_labels['udf'] of crm.Ticket is {'a': 'A'}.",
            "Give a function that takes the reader.",
        ),
    ],
)
def test_what_is_no_function(registered, options, message, hint):
    registered(Ticket, **options)
    (error,) = checks.check_registrations()
    assert (error.id, error.msg, error.hint) == ("customer_history.E009", message, hint)


@isolate_apps("tests.projects.crm")
def test_an_unknown_option_of_an_inner_class(registered, monkeypatch):
    class Misspelt(AuditedModel):
        class History:
            subjekt = "customer"

        class Meta:
            abstract = False
            app_label = "crm"
            managed = False

    fresh = registered(Customer, subject="self")
    monkeypatch.setattr("django_customer_history.registration.inheritance.registry", fresh)
    register_subclasses(AuditedModel, [Misspelt, Note])
    (error,) = checks.check_registrations()
    assert error.id == "customer_history.E007"
    assert "'subjekt'" in error.msg
    assert Misspelt in fresh


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("on", "CUSTOMER_HISTORY is not a dict."),
        ({"PAGE_SIZES": 5}, "CUSTOMER_HISTORY has the unknown key 'PAGE_SIZES'."),
        ({"PAGE_SIZE": 0}, "CUSTOMER_HISTORY['PAGE_SIZE'] is 0."),
        ({"PAGE_SIZE": "50"}, "CUSTOMER_HISTORY['PAGE_SIZE'] is '50'."),
        ({"APPEND_ONLY_TRIGGERS": 1}, "CUSTOMER_HISTORY['APPEND_ONLY_TRIGGERS'] is 1."),
        ({"TRUSTED_PROXIES": "10.0.0.1"}, "CUSTOMER_HISTORY['TRUSTED_PROXIES'] is '10.0.0.1'."),
        ({"TRUSTED_PROXIES": ["10.x"]}, "CUSTOMER_HISTORY['TRUSTED_PROXIES'] is ['10.x']."),
        ({"TRUSTED_PROXIES": -1}, "CUSTOMER_HISTORY['TRUSTED_PROXIES'] is -1."),
        ({"TRUSTED_PROXIES": True}, "CUSTOMER_HISTORY['TRUSTED_PROXIES'] is True."),
        ({"PROXY_HEADER": "X For"}, "CUSTOMER_HISTORY['PROXY_HEADER'] is 'X For'."),
        ({"IP_ADDRESS_STORAGE": "half"}, "CUSTOMER_HISTORY['IP_ADDRESS_STORAGE'] is 'half'."),
        ({"SOURCES": ["kiosk"]}, "CUSTOMER_HISTORY['SOURCES'] is ['kiosk']."),
        ({"SOURCES": {"The Kiosk": "K"}}, "CUSTOMER_HISTORY['SOURCES'] is {'The Kiosk': 'K'}."),
        ({"SOURCES": {"kiosk": 1}}, "CUSTOMER_HISTORY['SOURCES'] is {'kiosk': 1}."),
        ({"SOURCE_RESOLVER": "no.such"}, "CUSTOMER_HISTORY['SOURCE_RESOLVER'] is 'no.such'."),
        ({"SOURCE_RESOLVER": 5}, "CUSTOMER_HISTORY['SOURCE_RESOLVER'] is 5."),
        (
            {"IMPERSONATOR_RESOLVER": "os.sep"},
            "CUSTOMER_HISTORY['IMPERSONATOR_RESOLVER'] is 'os.sep'.",
        ),
        ({"REASON_HEADER": ""}, "CUSTOMER_HISTORY['REASON_HEADER'] is ''."),
        ({"REASON_FIELD": 1}, "CUSTOMER_HISTORY['REASON_FIELD'] is 1."),
    ],
)
def test_a_wrong_setting(settings, value, message):
    settings.CUSTOMER_HISTORY = value
    (error,) = checks.check_settings()
    assert (error.id, error.msg) == ("customer_history.E001", message)
    assert error.hint


def test_a_missing_middleware_is_a_warning(settings):
    settings.MIDDLEWARE = ["no.such.Middleware", "django.middleware.common.CommonMiddleware"]
    (warning,) = checks.check_middleware()
    assert warning.id == "customer_history.W001"
    assert "HistoryMiddleware" in warning.hint


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="needs Django 6.1")
@isolate_apps("tests.projects.crm")
def test_a_cascade_of_the_databases_own_is_a_warning_where_it_runs_no_triggers(
    registered, monkeypatch
):
    class Part(models.Model):
        customer = models.ForeignKey(Customer, models.DB_CASCADE, related_name="+")

        class Meta:
            app_label = "crm"
            managed = False

    registered(Customer, subject="self")
    registered(Part, subject="customer")
    monkeypatch.setattr(type(connections["default"]), "vendor", "mysql")
    warnings = checks.check_cascades()
    assert {warning.id for warning in warnings} == {"customer_history.W003"}
    assert "crm.Part.customer" in warnings[0].msg
    monkeypatch.setattr(type(connections["default"]), "vendor", "postgresql")
    assert checks.check_cascades() == []


def test_an_unsupported_database(monkeypatch):
    monkeypatch.setattr(type(connections["default"]), "vendor", "oracle")
    assert {error.id for error in checks.check_databases()} == {"customer_history.E006"}
    with pytest.raises(UnsupportedDatabaseError, match="'oracle'"):
        backend_of(connection)


@isolate_apps("tests.projects.crm")
def test_a_model_that_is_not_registered():
    class Unregistered(models.Model):
        class Meta:
            app_label = "crm"
            managed = False

    with pytest.raises(NotRegisteredError, match=r"history\.register"):
        registry.of(Unregistered)
    history.unregister(Unregistered)


@pytest.mark.django_db(transaction=True)
def test_a_role_that_may_not_create_triggers_is_told_the_table_and_the_mend():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite knows no privileges")
    role = "customer_history_weak"
    quoted = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"DROP ROLE IF EXISTS {role}")
            cursor.execute(f"CREATE ROLE {role} LOGIN")
            cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
            cursor.execute(f"REVOKE TRIGGER ON ALL TABLES IN SCHEMA public FROM {role}")
            cursor.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        else:
            cursor.execute(f"CREATE OR REPLACE USER {role}@'%'")
            cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{quoted}`.* TO {role}@'%'")
    remove_all(connection)
    connections.settings["weak"] = {**connection.settings_dict, "USER": role, "PASSWORD": ""}
    weak = connections["weak"]
    weak.connect()
    try:
        with pytest.raises(CaptureError) as error:
            synchronize_triggers(weak)
    finally:
        weak.close()
        del connections["weak"], connections.settings["weak"]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"DROP OWNED BY {role}")
                cursor.execute(f"DROP ROLE {role}")
            else:
                cursor.execute(f"DROP USER {role}@'%'")
        synchronize_triggers(connection)
    assert "The triggers that keep the history of table '" in str(error.value)
    assert "TRIGGER privilege" in str(error.value)
    assert "GRANT" in str(error.value)
