"""The system checks report mistakes with an id and a hint, and never raise."""

import pytest
from django.core.management import call_command
from django.db import connection, connections, models
from django.test.utils import isolate_apps

from django_customer_history import (
    checks,
    conf,
    history,
    masks,
)
from django_customer_history.access import checks as access_checks
from django_customer_history.backends import backend_of
from django_customer_history.capture import checks as capture_checks
from django_customer_history.capture import registration_checks
from django_customer_history.capture.triggers import (
    remove_all,
    synchronize_triggers,
)
from django_customer_history.contrib.simple_history.snapshots import register_snapshots
from django_customer_history.exceptions import (
    CaptureError,
    NotRegisteredError,
    UnsupportedDatabaseError,
)
from django_customer_history.models import AuditedModel
from django_customer_history.registration.inheritance import register_subclasses
from django_customer_history.registration.registry import (
    Registry,
    check_installed,
    registration_of,
    registry,
)
from tests.projects.crm.models import Code, Customer, Invoice, InvoiceLine, Note, Stock, Tag, Ticket


@pytest.fixture
def registered(monkeypatch):
    """Replace the registrations of the project."""
    fresh = Registry()
    for module in (checks, access_checks, capture_checks, registration_checks):
        monkeypatch.setattr(module, "registry", fresh)

    def register(model, **options):
        fresh.add(registration_of(model, **options))
        return fresh

    return register


def problems_of_registrations():
    """Return what the checks of registrations and of their confidential fields report."""
    return [*registration_checks.check_registrations(), *access_checks.check_confidential()]


def found(messages):
    return [(message.id, message.msg) for message in messages]


NAMES = 'Give the name of a field, or a list of names, such as ["name", "email"].'
MASK = "Give a mask of django_customer_history.masks, or a function from text to the text to show."
FUNCTIONS = 'Give a dict from fields to functions, such as {"fee": "${:,.2f}".format}.'
EVENTS = (
    'Give a dict from fields or kinds to actions, such as {"create": "Invoice Generated",'
    ' "status": {"paid": "Invoice Paid"}}.'
)
ACTION = "Give an action of 1 to 100 characters."


class TestInvalidOptions:
    """An option of a wrong type is an error of the checks, never a traceback."""

    @pytest.mark.parametrize(
        ("options", "message", "hint"),
        [
            ({"subject": 5}, "subject is 5", NAMES),
            ({"label": ["name", 5]}, "label is ['name', 5]", NAMES),
            ({"exclude": {"name": True}}, "exclude is {'name': True}", NAMES),
            ({"only": True}, "only is True", NAMES),
            ({"secret": b"ssn"}, "secret is b'ssn'", NAMES),
            ({"m2m": 1.5}, "m2m is 1.5", NAMES),
            ({"json_keys": True}, "json_keys is True", NAMES),
            ({"reason_required": 1}, "reason_required is 1", NAMES),
            (
                {"confidential": "ssn"},
                "confidential is 'ssn'",
                'Give a dict from fields to masks, such as {"ssn": masks.SSN}.',
            ),
            (
                {"confidential": ["ssn"]},
                "confidential is ['ssn']",
                'Give a dict from fields to masks, such as {"ssn": masks.SSN}.',
            ),
            (
                {"confidential": {"ssn": "ssn"}},
                "confidential['ssn'] is 'ssn'",
                f"{MASK} Did you mean masks.SSN?",
            ),
            ({"confidential": {"ssn": True}}, "confidential['ssn'] is True", MASK),
            ({"confidential": {"ssn": []}}, "confidential['ssn'] is []", MASK),
            (
                {"confidential": {5: masks.FULL}},
                "confidential is 5",
                "Use names of fields as keys of the dict.",
            ),
            ({"events": "Created"}, "events is 'Created'", EVENTS),
            ({"events": ["create"]}, "events is ['create']", EVENTS),
            ({"events": {"create": 5}}, "events['create'] is 5", ACTION),
            ({"events": {"create": ""}}, "events['create'] is ''", ACTION),
            ({"events": {"name": {"x": None}}}, "events['name']['x'] is None", ACTION),
            (
                {"events": {"name": {str: "Named"}}},
                "events['name'] is <class 'str'>",
                "Use values of the field as keys of the inner dict.",
            ),
            ({"display": "name"}, "display is 'name'", FUNCTIONS),
            (
                {"display": {"rate": "$"}},
                "display['rate'] is '$'",
                "Give a function that takes a value and returns the text to show.",
            ),
            ({"key_labels": ["udf"]}, "key_labels is ['udf']", FUNCTIONS),
            (
                {"key_labels": {"udf": {"a": "A"}}},
                "key_labels['udf'] is {'a': 'A'}",
                "Give a function that takes the reader and returns a dict from keys to labels.",
            ),
            (
                {"snapshots": 1},
                "snapshots is 1",
                "Give True, False or the label of an app.",
            ),
        ],
    )
    def test_message_and_hint(self, registered, options, message, hint):
        registered(Customer, **options)
        errors = [one for one in problems_of_registrations() if one.id != "customer_history.E002"]
        assert [(one.id, one.msg, one.hint) for one in errors] == [
            ("customer_history.E009", f"crm.Customer: {message}, which is not valid.", hint)
        ]

    @pytest.mark.parametrize("confidential", ["ssn", ["ssn"], {"ssn": "ssn"}, {"ssn": None}])
    def test_wrong_mask_hides_everything(self, confidential):
        registration = registration_of(Customer, confidential=confidential)
        assert registration.confidential == {"ssn": masks.FULL}

    def test_wrong_list_keeps_its_names(self):
        registration = registration_of(Customer, secret={"ssn": True}, exclude=["rate", 5])
        assert (registration.secret, registration.exclude) == ({"ssn"}, {"rate"})

    def test_valid_options_have_no_error(self):
        registration = registration_of(
            Ticket,
            subject="customer",
            label=("title",),
            exclude=(name for name in ["a"]),
            secret={"b"},
            confidential={"c": masks.SSN, "d": str.upper},
            events={"create": "Ticket Opened", "status": {"closed": "Ticket Closed"}},
            reason_required=True,
            snapshots="crm",
        )
        assert registration.invalid_options == ()

    @pytest.mark.parametrize("model", ["crm.Customer", Customer(), int, None])
    def test_argument_is_not_a_model(self, model):
        with pytest.raises(TypeError) as error:
            registration_of(model)
        assert str(error.value) == (
            f"history.register() was called with {model!r}, which is not a model class. Give the"
            " class itself, such as Customer."
        )

    def test_unknown_option_of_register(self):
        with pytest.raises(TypeError, match="unexpected keyword argument 'confidental'"):
            history.register(Tag, confidental={})


PROXIES = 'Give a list of networks, such as ["10.0.0.0/8", "::1"], or the number of proxies.'
SOURCES = 'Give a dict from codes to names, such as {"kiosk": _("Kiosk")}.'
OF_REQUEST = "Give a function that takes a request, or the dotted path to one."


class TestSettings:
    @pytest.mark.parametrize(
        ("value", "message", "hint"),
        [
            (
                "on",
                "CUSTOMER_HISTORY is 'on', which is not a dict.",
                'Write the settings as a dict, such as CUSTOMER_HISTORY = {"PAGE_SIZE": 50}.',
            ),
            (
                {"PAGE_SIZES": 5},
                "CUSTOMER_HISTORY: setting 'PAGE_SIZES' does not exist. Did you mean 'PAGE_SIZE'?",
                "The settings are: APPEND_ONLY_TRIGGERS, AUTHENTICATION_EVENTS,"
                " AUTHENTICATION_EVENT_LIMIT, IMPERSONATOR_RESOLVER, IP_ADDRESS_STORAGE,"
                " MASK_UNTIL_REVEALED, PAGE_SIZE, PARTITIONS, PROPAGATE_CONTEXT_TO_TASKS,"
                " PROXY_HEADER, READER_TIME_ZONE, READING_TIME_LIMIT, REASON_FIELD, REASON_HEADER,"
                " SEAL_KEY, SEAL_LAG_LIMIT, SEAL_TARGETS, SEAL_TIMESTAMP_ROOTS,"
                " SEAL_TIMESTAMP_URL, SEAL_WITNESSES, SETTLED_LAG_LIMIT, SOURCES,"
                " SOURCE_RESOLVER, TRUSTED_PROXIES, USER_RESOLVER, VERIFICATION_AGE_LIMIT,"
                " VIEW_INTERVAL.",
            ),
        ],
    )
    def test_unknown_setting(self, settings, value, message, hint):
        settings.CUSTOMER_HISTORY = value
        (error,) = checks.check_settings()
        assert (error.id, error.msg, error.hint) == ("customer_history.E001", message, hint)

    @pytest.mark.parametrize(
        ("setting", "value", "hint"),
        [
            ("PAGE_SIZE", 0, "Give a whole number from 1 to 200."),
            ("PAGE_SIZE", "50", "Give a whole number from 1 to 200."),
            ("APPEND_ONLY_TRIGGERS", 1, "Give True or False."),
            ("PARTITIONS", "year", 'Give "month", or None for one table.'),
            ("TRUSTED_PROXIES", "10.0.0.1", PROXIES),
            (
                "TRUSTED_PROXIES",
                ["10.x"],
                f"{PROXIES} '10.x' does not appear to be an IPv4 or IPv6 network.",
            ),
            ("TRUSTED_PROXIES", -1, PROXIES),
            ("TRUSTED_PROXIES", True, PROXIES),
            (
                "PROXY_HEADER",
                "X For",
                'Give the name of a header, such as "X-Forwarded-For" or "Forwarded".',
            ),
            ("IP_ADDRESS_STORAGE", "half", "Give one of: 'full', 'truncated', 'none'."),
            ("SOURCES", ["kiosk"], SOURCES),
            (
                "SOURCES",
                {"The Kiosk": "K"},
                f"{SOURCES} The code 'The Kiosk' is not valid: use 1 to 32 lower-case letters,"
                ' digits, "-" and "_".',
            ),
            ("SOURCES", {"kiosk": 1}, f"{SOURCES} The name of 'kiosk' is not text."),
            (
                "SOURCE_RESOLVER",
                "no.such",
                f"{OF_REQUEST} The import failed: No module named 'no'",
            ),
            ("SOURCE_RESOLVER", 5, OF_REQUEST),
            ("IMPERSONATOR_RESOLVER", "os.sep", OF_REQUEST),
            (
                "READER_TIME_ZONE",
                "os.sep",
                "Give a function that takes a user, or the dotted path to one.",
            ),
            ("REASON_HEADER", "", "Give a name, or None to switch it off."),
            ("REASON_FIELD", 1, "Give a name, or None to switch it off."),
        ],
    )
    def test_wrong_value_of_a_setting(self, settings, setting, value, hint):
        settings.CUSTOMER_HISTORY = {setting: value}
        (error,) = checks.check_settings()
        assert (error.id, error.msg, error.hint) == (
            "customer_history.E001",
            f"CUSTOMER_HISTORY[{setting!r}] is {value!r}, which is not valid.",
            hint,
        )

    def test_each_setting_has_a_function(self):
        assert [
            name for name in conf.DEFAULTS if not callable(getattr(conf, name.lower(), None))
        ] == []

    def test_missing_middleware(self, settings):
        settings.MIDDLEWARE = ["no.such.Middleware", "django.middleware.common.CommonMiddleware"]
        (warning,) = checks.check_middleware()
        assert (warning.id, warning.msg, warning.hint) == (
            "customer_history.W001",
            "MIDDLEWARE does not contain HistoryMiddleware, so changes made in requests have the"
            " user System and no IP address.",
            'Add "django_customer_history.middleware.HistoryMiddleware" after'
            " AuthenticationMiddleware.",
        )


class TestRegistrations:
    @pytest.mark.django_db(databases="__all__")
    def test_project_has_no_errors(self):
        assert problems_of_registrations() == []
        assert checks.check_settings() == []
        assert checks.check_middleware() == []
        assert checks.check_databases() == []
        call_command("check")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"confidential": {"snn": masks.FULL}},
                "crm.Customer: field 'snn' in confidential does not exist. Did you mean 'ssn'?",
            ),
            (
                {"label": "nmae"},
                "crm.Customer: field 'nmae' in label does not exist. Did you mean 'name'?",
            ),
            ({"exclude": ["x"]}, "crm.Customer: field 'x' in exclude does not exist."),
            ({"only": ["x"]}, "crm.Customer: field 'x' in only does not exist."),
            ({"secret": "x"}, "crm.Customer: field 'x' in secret does not exist."),
            ({"m2m": ["name"]}, "crm.Customer: field 'name' in m2m is not a many-to-many field."),
            (
                {"m2m": ["tag"]},
                "crm.Customer: field 'tag' in m2m does not exist. Did you mean 'tags'?",
            ),
            (
                {"events": {"tags": "x"}},
                "crm.Customer: field 'tags' in events does not have a column of its own.",
            ),
            (
                {"events": {"craete": "Customer Created"}},
                "crm.Customer: field 'craete' in events does not exist. Did you mean 'create'?",
            ),
            (
                {"json_keys": "name"},
                "crm.Customer: field 'name' in json_keys is not a JSONField.",
            ),
            (
                {
                    "reason_required": ["rate", "delete", "tags", "search_text"],
                    "exclude": "search_text",
                },
                "crm.Customer: field 'search_text' in reason_required is not logged.",
            ),
            (
                {"key_labels": {"name": dict}},
                "crm.Customer: field 'name' in key_labels is not in json_keys.",
            ),
            (
                {"display": {"rat": str}},
                "crm.Customer: field 'rat' in display does not exist. Did you mean 'rate'?",
            ),
            (
                {"display": {"tags": str}},
                "crm.Customer: field 'tags' in display is a relation, which has no value to"
                " format.",
            ),
            ({"display": {"x.key": str}}, "crm.Customer: field 'x.key' in display does not exist."),
        ],
    )
    def test_unknown_field_name(self, registered, options, message):
        registered(Customer, subject="self", **options)
        (error,) = problems_of_registrations()
        assert (error.id, error.msg) == ("customer_history.E002", message)
        (option,) = {one for one in options if f" in {one} " in message}
        assert error.hint.startswith(f"Names that {option} accepts: ")

    @pytest.mark.parametrize(
        ("subject", "message"),
        [
            (
                "invoic",
                "crm.InvoiceLine: field 'invoic' in subject 'invoic' does not exist in"
                " crm.InvoiceLine. Did you mean 'invoice'?",
            ),
            (
                "invoice__x",
                "crm.InvoiceLine: field 'x' in subject 'invoice__x' does not exist in crm.Invoice.",
            ),
            (
                "product",
                "crm.InvoiceLine: subject path 'product' cannot follow crm.InvoiceLine.product,"
                " because it is not a foreign key.",
            ),
            (
                "invoice",
                "crm.InvoiceLine: subject path 'invoice' leads to crm.Invoice, which is not"
                ' registered with subject="self".',
            ),
        ],
    )
    def test_subject_path_without_subject(self, registered, subject, message):
        registered(Customer, subject="self")
        registered(Invoice, subject="customer")
        registered(InvoiceLine, subject=subject)
        (error,) = problems_of_registrations()
        assert (error.id, error.msg) == ("customer_history.E003", message)
        assert error.hint == (
            'Give "self", or foreign keys that lead to a model registered with subject="self".'
        )

    def test_conflicting_registrations(self, registered):
        registered(Tag, label="name")
        registered(Tag, label=["name"])
        assert problems_of_registrations() == []
        registered(Tag, exclude="name")
        assert found(problems_of_registrations()) == [
            ("customer_history.E004", "crm.Tag is registered twice with different options.")
        ]

    def test_label_is_secret(self, registered):
        registered(Customer, subject="self", label="portal_password")
        assert found(problems_of_registrations()) == [
            (
                "customer_history.E005",
                "crm.Customer: field 'portal_password' in label is secret, and labels are shown.",
            )
        ]

    def test_confidential_primary_key(self, registered):
        registered(Code, subject="self", confidential={"code": masks.FULL, "text": masks.FULL})
        registered(Stock, confidential={"product": masks.FULL, "quantity": masks.FULL})
        assert found(problems_of_registrations()) == [
            (
                "customer_history.E010",
                "crm.Code: field 'code' in confidential is part of the primary key, which every"
                " entry, link and URL shows.",
            ),
            (
                "customer_history.E010",
                "crm.Stock: field 'product' in confidential is part of the primary key, which every"
                " entry, link and URL shows.",
            ),
        ]

    @isolate_apps("tests.projects.crm")
    def test_unknown_option_of_history(self, registered, monkeypatch):
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
        (error,) = problems_of_registrations()
        assert found([error]) == [
            (
                "customer_history.E007",
                "crm.Misspelt: option 'subjekt' of class History does not exist."
                " Did you mean 'subject'?",
            )
        ]
        assert Misspelt in fresh

    @pytest.mark.parametrize(
        ("snapshots", "message", "hint"),
        [
            (
                "cmr",
                "crm.Tag: app 'cmr' in snapshots is not installed. Did you mean 'crm'?",
                "Give the label of an installed app, or True for the app of the model.",
            ),
            (
                True,
                "crm.Tag: no snapshots are taken, because it was registered too late.",
                "Register it in models.py, or in the history.py of an app.",
            ),
        ],
    )
    def test_snapshots_that_are_not_taken(self, registered, monkeypatch, snapshots, message, hint):
        fresh = registered(Tag, snapshots=snapshots)
        if isinstance(snapshots, str):
            monkeypatch.setattr(f"{register_snapshots.__module__}.registry", fresh)
            register_snapshots()
        errors = [one for one in checks.check_snapshots() if one.id == "customer_history.E008"]
        assert [(one.msg, one.hint) for one in errors] == [(message, hint)]

    @isolate_apps("tests.projects.crm")
    def test_unregistered_model(self):
        class Unregistered(models.Model):
            class Meta:
                app_label = "crm"
                managed = False

        with pytest.raises(NotRegisteredError, match=r"history\.register"):
            registry.of(Unregistered)
        history.unregister(Unregistered)


class TestShapesOfModels:
    @isolate_apps("tests")
    def test_abstract_model_without_children(self, registered):
        class Described(models.Model):
            class Meta:
                app_label = "shapes"
                abstract = True

        registered(Described)
        assert found(problems_of_registrations()) == [
            (
                "customer_history.E020",
                "shapes.Described is registered, but it is abstract and no model inherits from it,"
                " so nothing is recorded.",
            )
        ]

    @isolate_apps("tests")
    def test_abstract_model_with_children(self, registered):
        class Described(models.Model):
            class Meta:
                app_label = "shapes"
                abstract = True

        class Thing(Described):
            class Meta:
                app_label = "shapes"

        class Own(Thing):
            class Meta:
                app_label = "shapes"

        fresh = registered(Described, label="id")
        registered(Own, subject="self")
        fresh.apply_to_children([Thing, Own])
        assert found(problems_of_registrations()) == []
        assert {one.model: (one.label, one.subject) for one in fresh} == {
            Thing: (("id",), ()),
            Own: ((), ("self",)),
        }

    @isolate_apps("tests")
    def test_two_models_with_one_table(self, registered):
        class One(models.Model):
            class Meta:
                app_label = "shapes"
                db_table = "shared"

        class Other(models.Model):
            class Meta:
                app_label = "shapes"
                db_table = "shared"

        registered(One)
        registered(Other)
        assert found(problems_of_registrations()) == [
            (
                "customer_history.E022",
                "shapes.One and shapes.Other are registered, and both have the table 'shared', so"
                " every change is recorded for each of them.",
            )
        ]

    @isolate_apps("tests")
    def test_swapped_model(self, registered, settings):
        settings.SHAPES_THING_MODEL = "crm.Customer"

        class Thing(models.Model):
            class Meta:
                app_label = "shapes"
                swappable = "SHAPES_THING_MODEL"

        registered(Thing)
        assert found(problems_of_registrations()) == [
            (
                "customer_history.E023",
                "shapes.Thing is registered, but crm.Customer is used instead of it, so it has no"
                " table.",
            )
        ]

    def test_app_is_not_installed(self, settings):
        assert check_installed() == []
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if "customer_history" not in app
        ]
        assert found(check_installed()) == [
            (
                "customer_history.E021",
                "Models are registered for the history, but INSTALLED_APPS does not contain"
                ' "django_customer_history", so nothing is recorded.',
            )
        ]

    def test_event_with_a_secret_value(self, registered):
        registered(Customer, secret="rate", events={"rate": {"1.00": "Cheap"}})
        assert found(problems_of_registrations()) == [
            (
                "customer_history.E024",
                "crm.Customer: events names a value of 'rate', which is secret: the value would be"
                " in the trigger and in the name of the change.",
            )
        ]

    @pytest.mark.parametrize(
        ("label", "id_", "message"),
        [
            (
                "invoice__numbr",
                "E002",
                "field 'numbr' in label 'invoice__numbr' does not exist in crm.Invoice. Did you"
                " mean 'number'?",
            ),
            (
                "product__x",
                "E002",
                "label 'product__x' cannot follow crm.InvoiceLine.product, because it is not a"
                " foreign key.",
            ),
            (
                "invoice__lines",
                "E002",
                "label 'invoice__lines' cannot show crm.Invoice.lines, because it does not have a"
                " column of its own.",
            ),
            (
                "invoice",
                "W021",
                "label 'invoice' shows the key of a crm.Invoice, because that model has no label.",
            ),
        ],
    )
    def test_label_that_shows_no_name(self, registered, label, id_, message):
        registered(InvoiceLine, label=label)
        assert found(problems_of_registrations()) == [
            (f"customer_history.{id_}", f"crm.InvoiceLine: {message}")
        ]

    def test_labels_over_foreign_keys(self, registered):
        registered(Invoice, label=("number", "customer__name"))
        registered(InvoiceLine, label=("invoice", "product"))
        assert found(problems_of_registrations()) == []

    def test_secret_at_the_end_of_a_label(self, registered):
        registered(Customer, subject="self", secret="name")
        registered(Invoice, label="customer__name")
        assert [one.id for one in problems_of_registrations()] == ["customer_history.E005"]


class TestDatabases:
    @pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="needs Django 6.1")
    @isolate_apps("tests.projects.crm")
    def test_database_cascade(self, registered, monkeypatch):
        class Part(models.Model):
            customer = models.ForeignKey(Customer, models.DB_CASCADE, related_name="+")

            class Meta:
                app_label = "crm"
                managed = False

        registered(Customer, subject="self")
        registered(Part, subject="customer")
        monkeypatch.setattr(type(connections["default"]), "vendor", "mysql")
        warnings = capture_checks.check_cascades()
        assert {warning.id for warning in warnings} == {"customer_history.W003"}
        assert warnings[0].msg.startswith("crm.Part.customer: ")
        assert warnings[0].msg.endswith(
            " deletes or changes rows by this field's on_delete without running triggers, so the"
            " log misses these changes."
        )
        monkeypatch.setattr(type(connections["default"]), "vendor", "postgresql")
        assert capture_checks.check_cascades() == []

    def test_unsupported_database(self, monkeypatch):
        monkeypatch.setattr(type(connections["default"]), "vendor", "oracle")
        errors = checks.check_databases()
        assert found(errors)[0] == (
            "customer_history.E006",
            "Database 'default' is 'oracle', where changes cannot be captured.",
        )
        assert {error.id for error in errors} == {"customer_history.E006"}
        with pytest.raises(UnsupportedDatabaseError, match="'oracle'"):
            backend_of(connection)

    @pytest.mark.django_db(transaction=True)
    def test_role_without_privilege(self):
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
                cursor.execute(f"DROP USER IF EXISTS {role}@'%'")
                cursor.execute(f"CREATE USER {role}@'%'")
                cursor.execute(
                    f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{quoted}`.* TO {role}@'%'"
                )
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
        assert "The history triggers of table '" in str(error.value)
        # A server that writes a binary log may refuse this role for that reason first.
        wanted = ("TRIGGER privilege", "GRANT")
        if "(1419, " in str(error.value):
            wanted = ("SUPER privilege", "SET GLOBAL log_bin_trust_function_creators = 1")
        assert all(one in str(error.value) for one in wanted)


class TestProbableSecrets:
    @pytest.mark.parametrize(
        "name",
        [
            "api_token", "token", "access_token_value", "client_secret", "secretkey", "api_key",
            "apikey", "smtp_pass", "passwd", "portal_passwordhash", "db_pwd", "private_key",
            "ssh_key", "passphrase", "credentials", "bearer", "otp", "apiToken",
        ],
    )  # fmt: skip
    def test_names_of_secrets(self, name):
        assert access_checks._SECRET_NAME.search(name)
        assert not access_checks._HARMLESS_NAME.search(name)

    @pytest.mark.parametrize(
        "name", ["secretary", "compass", "passport", "key", "monkey", "keyboard", "passenger"]
    )
    def test_other_names(self, name):
        assert not access_checks._SECRET_NAME.search(name)

    def test_message_and_hint(self, registered):
        registered(Customer, subject="self")
        (message,) = access_checks.check_probable_secrets()
        assert (message.id, message.msg) == (
            "customer_history.W050",
            "crm.Customer: field 'api_token' looks like a token, a key or a password, and its"
            " values are logged in clear.",
        )
        assert 'secret="api_token"' in message.hint
        assert 'SILENCED_SYSTEM_CHECKS = ["customer_history.W050"]' in message.hint

    @pytest.mark.parametrize(
        "options",
        [
            {"secret": "api_token"},
            {"exclude": "api_token"},
            {"only": "name"},
            {"confidential": {"api_token": masks.FULL}},
        ],
    )
    def test_decided_by_the_registration(self, options, registered):
        registered(Customer, subject="self", **options)
        assert access_checks.check_probable_secrets() == []
