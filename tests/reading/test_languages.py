"""The tab, the record, the admin, REST, files and values in the reader's language."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from babel.messages.catalog import Catalog
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import models
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from django.utils.html import strip_tags

from django_customer_history import history
from django_customer_history.keys import uuid_at
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.tab.days import describe_moment
from django_customer_history.values.encoding import encode
from django_customer_history.values.rendering import display_function
from django_customer_history.values.types import ValueType
from tests.catalogues import compiled
from tests.projects.crm.models import Customer, Note, Ticket
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

MOMENT = datetime(2026, 3, 5, 14, 2, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _use_language_of_request(settings):
    at = settings.MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:at],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[at:],
    ]
    with translation.override(translation.get_language()):
        yield


@pytest.fixture
def staff(reader, user):
    user.is_staff = True
    user.save()
    grant(user, "view_customer", "view_entry", "add_confidentialfield", "view_confidentialfield")
    return reader


@pytest.fixture
def past(customer):
    """An entry of an import on an earlier day."""
    return Entry.objects.create(
        id=uuid_at(int(MOMENT.timestamp()) * 1_000_000),
        timestamp=MOMENT, kind="update", action="Update", source="import",
        changes={"rate": ["39.99", "1044.50"]},
        subject_model="crm.customer", subject_id=str(customer.pk),
        entity_model="crm.customer", entity_id=str(customer.pk),
    )  # fmt: skip


def get(client, path, language):
    return client.get(path, headers={"accept-language": language})


def shown(answer):
    return " ".join(strip_tags(answer.content.decode()).split())


def tab_url(customer):
    return f"/customers/{customer.pk}/history/"


def filter_bar(answer):
    return answer.context["history"].filter_bar


class TestTab:
    def test_the_tab_in_german(self, reader, customer, past):
        answer = get(reader, tab_url(customer), "de")
        text = shown(answer)
        assert answer.headers["Content-Language"] == "de"
        assert '<html lang="de">' in answer.content.decode()
        assert "Verlauf von Acme" in text
        assert (
            "Zeitpunkt Benutzer Aktion Datensatz Feld Alter Wert Neuer Wert Quelle IP-Adresse"
        ) in text
        assert "Änderungen, neueste zuerst. Zeiten in der Zeitzone UTC." in text
        assert "Donnerstag, 5. März 2026" in text
        assert "14:02 " in text
        assert 'title="5. März 2026, 14:02:11 UTC"' in answer.content.decode()
        assert "Heute · " in text
        assert "gerade eben" in text
        assert "Erstellt" in text
        assert "Geändert" in text
        assert "Rate war 39,99 ist jetzt 1.044,50 Import" in text
        assert 'data-loading="Wird geladen…"' in answer.content.decode()

    def test_the_tab_in_spanish(self, reader, customer, past):
        answer = get(reader, tab_url(customer), "es")
        text = shown(answer)
        assert "Historial de Acme" in text
        assert (
            "Fecha y hora Usuario Acción Registro Campo Valor anterior Valor nuevo Origen"
            " Dirección IP"
        ) in text
        assert "Cambios, los más recientes primero. Horas en la zona horaria UTC." in text
        assert "Jueves, 5 de marzo de 2026" in text
        assert 'title="5 de marzo de 2026, 14:02:11 UTC"' in answer.content.decode()
        assert "Hoy · " in text
        assert "ahora mismo" in text
        assert "Creación" in text
        assert "Modificación" in text
        assert "Rate era 39,99 ahora es 1 044,50 Importación" in text

    def test_language_without_a_catalog(self, reader, customer, past):
        text = shown(get(reader, tab_url(customer), "fr"))
        assert "History of Acme" in text
        assert "Jeudi, 5 mars 2026" in text
        assert "Update" in text

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("de", ["2 Werte", "3 Werte", 'role="img" title="Kein Wert"']),
            ("es", ["2 valores", "3 valores", 'role="img" title="Sin valor"']),
        ],
    )
    def test_numbers_of_values(self, reader, customer, language, words):
        Entry.objects.create(
            timestamp=MOMENT, kind="create", action="Create", source="web",
            changes={"name": [None, "Acme"], "rate": [None, "39.99"], "status": [None, None]},
            subject_model="crm.customer", subject_id=str(customer.pk),
            entity_model="crm.customer", entity_id=str(customer.pk),
        )  # fmt: skip
        Note.objects.create(customer=customer, text="t")
        page = get(reader, tab_url(customer), language).content.decode()
        assert [one for one in words if one not in page] == []

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            (
                "de",
                [
                    "Verborgen. Nötige Berechtigung: „Can see the ssn of customer unmasked“.",
                    "nicht gespeichert",
                    "leer",
                    "war Nein ist jetzt Ja",
                ],
            ),
            (
                "es",
                [
                    "Oculto. Permiso necesario: «Can see the ssn of customer unmasked».",
                    "no se guarda",
                    "vacío",
                    "era No ahora es Sí",
                ],
            ),
        ],
    )
    def test_states_of_values(self, reader, customer, language, words):
        Customer.objects.filter(pk=customer.pk).update(ssn="999-88-7777", api_token="t", name="")
        ticket = Ticket.objects.create(customer=customer)
        Ticket.objects.filter(pk=ticket.pk).update(urgent=True)
        text = shown(get(reader, tab_url(customer), language))
        assert [one for one in words if one not in text] == []

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            (
                "de",
                [
                    "Keine Änderungen entsprechen diesen Filtern.",
                    "Filter entfernen oder längeren Zeitraum wählen.",
                    "Alle Filter zurücksetzen",
                ],
            ),
            (
                "es",
                [
                    "Ningún cambio coincide con estos filtros.",
                    "Quite un filtro o elija un período más largo.",
                    "Borrar todos los filtros",
                ],
            ),
        ],
    )
    def test_filters_without_matches(self, reader, customer, language, words):
        text = shown(get(reader, tab_url(customer) + "?kind=delete", language))
        assert [one for one in words if one not in text] == []

    @pytest.mark.parametrize(
        ("language", "refused"),
        [
            ("de", "Keine Berechtigung zum Ansehen dieses Verlaufs."),
            ("es", "No tiene permiso para ver este historial."),
        ],
    )
    def test_missing_permission(self, customer, django_user_model, language, refused):
        request = RequestFactory().get("/x")
        request.user = django_user_model.objects.create_user("eve")
        tag = Template("{% load customer_history %}{% history_tab customer %}")
        with translation.override(language):
            assert refused in tag.render(Context({"customer": customer, "request": request}))

    @pytest.mark.parametrize(
        ("language", "refused"),
        [
            ("de", "Keine Berechtigung zum Exportieren dieses Verlaufs."),
            ("es", "No tiene permiso para exportar este historial."),
        ],
    )
    def test_no_permission_to_export(self, client, customer, django_user_model, language, refused):
        bob = django_user_model.objects.create_user("bob")
        grant(bob, "view_customer_history")
        client.force_login(bob)
        answer = get(client, tab_url(customer) + "?format=csv", language)
        assert answer.status_code == 403
        assert refused in shown(answer)

    @pytest.mark.parametrize(
        ("language", "before", "word"),
        [("de", "Vor und nach", "Erstellt"), ("es", "Antes y después", "Creación")],
    )
    def test_a_record_as_of_an_entry(self, reader, customer, language, before, word):
        entry = Entry.objects.get(entity_model="crm.customer", entity_id=str(customer.pk))
        text = shown(get(reader, f"{tab_url(customer)}{entry.id}/", language))
        assert before in text
        assert word in text
        assert "Create" not in text


class TestFilterBar:
    def test_filters_in_german(self, reader, user, customer):
        query = f"?user={user.pk}&-kind=delete&action=Create&source=command&from=2026-03-05"
        answer = get(reader, tab_url(customer) + query, "de")
        chips = [(one.title, one.text) for one in filter_bar(answer).chips]
        assert chips == [
            ("Von", "5. März 2026"),
            ("Benutzer", str(user.pk)),
            ("Aktion", "Erstellt"),
            ("Quelle", "Befehl"),
            ("Art", "Gelöscht"),
        ]
        assert [one.title for one in filter_bar(answer).menus] == [
            "Benutzer", "Aktion", "Datensatz", "Feld", "Quelle",
        ]  # fmt: skip
        assert [one.name for one in filter_bar(answer).presets] == [
            "Heute", "Gestern", "Letzte 7 Tage", "Letzte 30 Tage", "Diesen Monat",
            "Letzten Monat", "Letzte 12 Monate",
        ]  # fmt: skip
        text = shown(answer)
        assert "Filter entfernen: Art ist nicht Gelöscht" in text
        assert "Anwenden" in text
        assert 'placeholder="Werte durchsuchen"' in answer.content.decode()

    def test_filters_in_spanish(self, reader, customer):
        query = "?user=system&-kind=delete&action=Create&source=command&to=2026-03-05"
        answer = get(reader, tab_url(customer) + query, "es")
        chips = [(one.title, one.text) for one in filter_bar(answer).chips]
        assert chips == [
            ("Hasta", "5 de marzo de 2026"),
            ("Usuario", "Sistema"),
            ("Acción", "Creación"),
            ("Origen", "Comando"),
            ("Tipo", "Eliminación"),
        ]
        assert [one.name for one in filter_bar(answer).presets] == [
            "Hoy", "Ayer", "Últimos 7 días", "Últimos 30 días", "Este mes", "Mes pasado",
            "Últimos 12 meses",
        ]  # fmt: skip
        assert "Quitar el filtro: Tipo no es Eliminación" in shown(answer)

    def test_menus_sort_in_the_language(self, reader, customer):
        note = Note.objects.create(customer=customer, text="t")
        Note.objects.filter(pk=note.pk).update(text="u")
        note.delete()
        menus = filter_bar(get(reader, tab_url(customer) + "?filter=open", "de")).menus
        (actions,) = (one for one in menus if one.name == "action")
        assert [(one.label, one.value) for one in actions.groups[1].options] == [
            ("Erstellt", "Create"),
            ("Gelöscht", "Delete"),
            ("Geändert", "Update"),
        ]


KINDS = "create, update, delete, add, remove, event, view"
WRONG = [
    (
        "kind=updte",
        f"Meinten Sie „update“? Mögliche Werte: {KINDS}.",
        f"¿Quería decir «update»? Valores posibles: {KINDS}.",
    ),
    (
        "from=yesterday",
        "Datum wie 2026-11-23 oder Zeitpunkt wie 2026-11-23T14:02:11Z angeben.",
        "Indique una fecha, como 2026-11-23, o un instante, como 2026-11-23T14:02:11Z.",
    ),
    (
        "ip_address=here",
        "IP-Adresse angeben, zum Beispiel 203.0.113.9 oder 2001:db8::7.",
        "Indique una dirección IP, como 203.0.113.9 o 2001:db8::7.",
    ),
    (
        "entity=customer",
        "Modell wie „crm.customer“ oder Datensatz wie „crm.customer:42“ angeben.",
        "Indique un modelo, como «crm.customer», o un registro: «crm.customer:42».",
    ),
    ("to=2026-01-01&to=2026-01-02", "Zu oft angegeben.", "Indicado demasiadas veces."),
    (
        f"q={'x' * 501}",
        "Wert mit 1 bis 500 Zeichen angeben.",
        "Indique un valor de 1 a 500 caracteres.",
    ),
    (
        "acton=Create",
        "Unbekannter Filter. Meinten Sie „action“?",
        "Filtro desconocido. ¿Quería decir «action»?",
    ),
]


class TestWrongFilters:
    @pytest.mark.parametrize(("query", "german", "spanish"), WRONG, ids=lambda one: one[:12])
    def test_messages_on_tab_and_in_rest(self, reader, customer, query, german, spanish):
        for language, text in (("de", german), ("es", spanish)):
            page = get(reader, f"{tab_url(customer)}?{query}", language)
            assert page.status_code == 400
            assert text in shown(page)
            answer = get(
                reader, f"/api/history/subjects/crm.customer/{customer.pk}/?{query}", language
            )
            assert [one["detail"] for one in answer.json()["errors"]] == [text]
            assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]

    def test_messages_of_other_parameters(self, reader, customer):
        path = f"/api/history/subjects/crm.customer/{customer.pk}/?limit=0&cursor=x"
        answer = get(reader, path, "de").json()
        assert answer["errors"] == [
            {"parameter": "limit", "detail": "Ganze Zahl von 1 bis 200 angeben."},
            {
                "parameter": "cursor",
                "detail": "Der Cursor gehört nicht zu dieser Liste und diesen Filtern."
                " Bitte ohne Cursor beginnen.",
            },
        ]
        assert (answer["title"], answer["status"]) == ("Bad Request", 400)


class TestTime:
    @pytest.mark.parametrize(
        ("length", "german", "spanish"),
        [
            ({"seconds": 59}, "gerade eben", "ahora mismo"),
            ({"minutes": 1}, "vor 1 Minute", "hace 1 minuto"),
            ({"minutes": 5}, "vor 5 Minuten", "hace 5 minutos"),
            ({"hours": 1}, "vor 1 Stunde", "hace 1 hora"),
            ({"hours": 23}, "vor 23 Stunden", "hace 23 horas"),
            ({"days": 1}, "vor 1 Tag", "hace 1 día"),
            ({"days": 2}, "", ""),
            ({"days": 1100}, "", ""),
        ],
    )
    def test_relative_time_in_words(self, length, german, spanish):
        relative = {}
        for language in ("de", "es"):
            with translation.override(language):
                now = MOMENT + timedelta(**length)
                relative[language] = describe_moment(MOMENT, zone=UTC, now=now).relative
        assert relative == {"de": german, "es": spanish}

    @pytest.mark.parametrize(
        ("language", "one", "several"),
        [
            ("es-mx", "hace 1 día", "hace 3 horas"),
            ("es-ar", "hace 1 día", "hace 3 horas"),
            ("de-at", "vor 1 Tag", "vor 3 Stunden"),
        ],
    )
    def test_variants_of_a_language(self, language, one, several):
        with translation.override(language):
            relative = [
                describe_moment(MOMENT, zone=UTC, now=MOMENT + timedelta(hours=hours)).relative
                for hours in (24, 3)
            ]
        assert relative == [one, several]

    @pytest.mark.parametrize(
        ("duration", "english", "german", "spanish"),
        [
            ({"hours": 2, "minutes": 3}, "2:03:00", "2:03:00", "2:03:00"),
            ({"hours": -1}, "-1:00:00", "-1:00:00", "-1:00:00"),
            ({"seconds": 1.5}, "0:00:01.5", "0:00:01,5", "0:00:01,5"),
            ({"days": 1}, "1 day, 0:00:00", "1 Tag, 0:00:00", "1 día, 0:00:00"),
            ({"days": 2, "seconds": 4}, "2 days, 0:00:04", "2 Tage, 0:00:04", "2 días, 0:00:04"),
            ({"days": -3}, "-3 days, 0:00:00", "-3 Tage, 0:00:00", "-3 días, 0:00:00"),
        ],
    )
    def test_durations_in_words(self, duration, english, german, spanish):
        text = encode(timedelta(**duration))
        display = display_function(models.DurationField(), ValueType.DURATION)
        texts = []
        for language in ("en", "de", "es"):
            with translation.override(language):
                texts.append(display(text))
        assert texts == [english, german, spanish]


class TestRest:
    def test_translates_labels_not_codes(self, reader, customer, past):
        answer = get(reader, f"/api/history/subjects/crm.customer/{customer.pk}/", "de")
        entry = answer.json()["results"][-1]
        assert (entry["kind"], entry["action"]) == ("update", "Update")
        assert entry["source"] == {"code": "import", "label": "Import"}
        (change,) = entry["changes"]
        assert (change["old"], change["new"]) == ("39.99", "1044.50")
        assert (change["old_display"], change["new_display"]) == ("39,99", "1.044,50")

    def test_answers_vary_by_language(self, reader, customer, past):
        path = f"/api/history/subjects/crm.customer/{customer.pk}/"
        german, spanish = get(reader, path, "de"), get(reader, path, "es")
        assert german.headers["Content-Language"] == "de"
        assert "Accept-Language" in spanish.headers["Vary"]
        assert german.headers["ETag"] != spanish.headers["ETag"]

    @pytest.mark.parametrize(
        ("language", "labels"),
        [
            ("de", ["Erstellt", "Geändert", "System", "Import", "System"]),
            ("es", ["Creación", "Modificación", "Sistema", "Importación", "Sistema"]),
        ],
    )
    def test_facets_are_translated(self, reader, customer, past, language, labels):
        path = f"/api/history/subjects/crm.customer/{customer.pk}/facets/"
        found = get(reader, path, language).json()
        named = {
            name: [(one["label"], one["value"]) for one in found[name]]
            for name in ("kinds", "actions", "users", "sources")
        }
        create, update, no_user, import_, system = labels
        assert named == {
            "kinds": [(create, "create"), (update, "update")],
            "actions": [(create, "Create"), (update, "Update")],
            "users": [(no_user, "system")],
            "sources": [(import_, "import"), (system, "system")],
        }


class TestFiles:
    def test_csv_columns_keep_their_names(self, reader, customer, past):
        answer = get(reader, tab_url(customer) + "?format=csv", "de")
        rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
        assert list(rows[0]) == [
            "timestamp", "user", "action", "entity", "entity_id", "field", "old_value",
            "new_value", "source", "ip_address", "customer", "reason", "entry_id", "kind",
            "primary_id",
        ]  # fmt: skip
        last = rows[-1]
        assert (last["timestamp"], last["action"]) == ("2026-03-05T14:02:11.000000+00:00", "Update")
        assert (last["old_value"], last["new_value"]) == ("39.99", "1044.50")

    def test_csv_has_translated_labels(self, reader, customer, past):
        answer = get(reader, tab_url(customer) + "?format=csv", "es")
        rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
        assert rows[-1]["source"] == "Importación"


class TestAdmin:
    @pytest.mark.parametrize(
        ("language", "app", "entries", "fields"),
        [
            ("de", "Kundenverlauf", "Verlaufseinträge", "Vertrauliche Felder"),
            ("es", "Historial de clientes", "Entradas del historial", "Campos confidenciales"),
        ],
    )
    def test_the_index_of_the_admin(self, staff, language, app, entries, fields):
        text = shown(get(staff, "/admin/", language))
        assert app in text
        assert entries in text
        assert fields in text

    @pytest.mark.parametrize(
        ("language", "heading", "action"),
        [("de", "Verlauf von Acme", "Erstellt"), ("es", "Historial de Acme", "Creación")],
    )
    def test_the_history_of_a_record(self, staff, customer, language, heading, action):
        text = shown(get(staff, f"/admin/crm/customer/{customer.pk}/history/", language))
        assert heading in text
        assert action in text

    @pytest.mark.parametrize(("language", "column"), [("de", "Neuer Wert"), ("es", "Valor nuevo")])
    def test_the_log_of_all_entries(self, staff, customer, language, column):
        assert column in shown(get(staff, "/admin/customer_history/entry/", language))

    @pytest.mark.parametrize(
        ("language", "mask", "wrong"),
        [
            (
                "de",
                "Alles verbergen",
                "Dieses Feld gibt es nicht. Vorhandene Felder: customer, text.",
            ),
            (
                "es",
                "Ocultar todo",
                "Este campo no existe. Campos disponibles: customer, text.",
            ),
        ],
    )
    def test_the_form_of_a_mark(self, staff, language, mask, wrong):
        given = {"model": "crm.note", "field": "colour", "label": "", "mask": "full"}
        answer = staff.post(
            "/admin/customer_history/confidentialfield/add/",
            given,
            headers={"accept-language": language},
        )
        assert mask in shown(answer)
        assert wrong in shown(answer)


class TestPermissions:
    def test_names_are_stored_in_english(self, customer):
        """Django's permissions do the same. The language of `migrate` does not matter."""
        Permission.objects.filter(content_type__app_label__in=["crm", "customer_history"]).delete()
        with translation.override("de"):
            call_command("migrate", verbosity=0)
            ConfidentialField.objects.create(model="crm.note", field="text")
        names = dict(Permission.objects.values_list("codename", "name"))
        assert names["view_customer_history"] == "Can view the history of customer"
        assert names["view_confidential_customer_ssn"] == "Can see the ssn of customer unmasked"
        assert names["view_confidential_note_text"] == "Can see the text of note unmasked"
        assert names["view_confidential"] == "Can view every confidential value in the history"
        assert names["view_entry"] == "Can view history entry"


class TestOwnNames:
    def test_project_translates_its_names(self, reader, customer, settings, tmp_path):
        names = Catalog(locale="de")
        names.add("Ticket Closed", "Ticket geschlossen")
        folder = tmp_path / "de" / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "django.mo").write_bytes(compiled(names))
        settings.LOCALE_PATHS = [tmp_path]
        ticket = Ticket.objects.create(customer=customer)
        Ticket.objects.filter(pk=ticket.pk).update(status="closed")
        text = shown(get(reader, tab_url(customer), "de"))
        assert "Ticket geschlossen" in text
        assert "Ticket Closed" not in text

    def test_project_translates_event_fields(self, reader, customer, settings, tmp_path):
        names = Catalog(locale="de")
        names.add("Sent to", "Gesendet an")
        folder = tmp_path / "de" / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "django.mo").write_bytes(compiled(names))
        settings.LOCALE_PATHS = [tmp_path]
        changes = {"sent_to": (None, "a@example.com")}
        history.record("Reminder Sent", subject=customer, changes=changes)
        assert "Gesendet an war — ist jetzt a@example.com" in shown(
            get(reader, tab_url(customer), "de")
        )
        assert "Sent to was — is now a@example.com" in shown(get(reader, tab_url(customer), "en"))

    def test_events_of_the_package_itself(self, reader, customer):
        b"".join(reader.get(tab_url(customer) + "?format=csv"))
        german = shown(get(reader, tab_url(customer), "de"))
        assert "Verlauf exportiert Verlaufseintrag" in german
        assert "Format war — ist jetzt csv" in german
        spanish = shown(get(reader, tab_url(customer), "es"))
        assert "Historial exportado Entrada del historial" in spanish
        assert "Formato era — ahora es csv" in spanish

    def test_events_without_a_model(self, staff, customer):
        with history.paused(reason="sync"):
            pass
        answer = get(staff, "/admin/customer_history/entry/?entity=customer_history.pause", "de")
        assert [(one.title, one.text) for one in filter_bar(answer).chips] == [
            ("Datensatz", "Pause des Verlaufs")
        ]
        assert "Verlauf fortgesetzt sync Pause des Verlaufs" in shown(answer)
