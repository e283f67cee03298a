"""The demo in German and Spanish: pages, the tab with the names of the project, and the admin."""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.utils.text import capfirst

from demo.browser import Browser
from tests.catalogues import DEMO, PACKAGE, messages
from tests.example.reading import read_columns, whole_history

LOG_IN = {"de": "Anmelden", "es": "Iniciar sesión"}

each_language = pytest.mark.parametrize("language", ["de", "es"])


@pytest.fixture(scope="module")
def browsers(second_run):
    """The browsers of the administrator, with other languages than English."""
    found = {}
    for language, button in LOG_IN.items():
        found[language] = Browser(second_run.site, ip_address="192.0.2.1", language=language)
        found[language].submit("/log-in", button, {"username": "admin", "password": "demo"})
    return found


class _Texts(HTMLParser):
    """The texts of a page, each by itself, with those that are in attributes."""

    SHOWN = ("alt", "aria-label", "data-label", "placeholder", "title")

    def __init__(self, page):
        super().__init__()
        self.texts = []
        self._hidden = 0
        self.feed(page.text)

    def handle_starttag(self, tag, attrs):
        self._hidden += tag in {"script", "style"}
        attributes = dict(attrs)
        if attributes.get("type") in {"submit", "button"}:
            attributes["title"] = attributes.get("value")
        self.texts += [attributes[name] for name in self.SHOWN if attributes.get(name)]

    def handle_endtag(self, tag):
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data):
        text = " ".join(data.split())
        if text and not self._hidden:
            self.texts.append(text)


def texts_of(page):
    return _Texts(page).texts


def english_texts(language):
    """Return the texts of the demo and the package that a language has other words for."""
    english, translated = set(), set()
    for code in (PACKAGE, DEMO):
        for message in messages(code.catalog_of(language)):
            if isinstance(message.id, str):
                english |= {message.id, capfirst(message.id), f"{message.id}?"}
                translated |= {message.string, capfirst(message.string)}
    return english - translated


DATA = {"Dunning", "Installation", "Onboarding", "Renewal"}
"""Words of the catalogs that are data here: titles that people typed, and names of records."""

NOT_OURS = {"Search"}
"""The text of an image in Django's admin, which Django does not translate."""


CUSTOMERS = {
    "de": [
        "Kunden", "Neuer Kunde", "Nach Namen suchen", "Alle Kunden", "Aktiv", "Gekündigt",
        "Archiviert", "Anzeigen", "Name", "Ort", "Vertrag", "Monatlich", "Status", "Schlagwörter",
        "36 Monate", "184,50 $", "Felder", "Aufgaben", "Verwaltung", "Abmelden",
        "Zum Inhalt springen", "Hauptmenü", "Sprache:",
    ],
    "es": [
        "Clientes", "Nuevo cliente", "Buscar por nombre", "Todos los clientes", "Activo",
        "Cancelado", "Archivado", "Mostrar", "Nombre", "Localidad", "Contrato", "Mensual",
        "Estado", "Etiquetas", "36 meses", "184,50 $", "Campos", "Tareas", "Administración",
        "Cerrar sesión", "Ir al contenido", "Menú principal", "Idioma:",
    ],
}  # fmt: skip

COLUMNS = {
    "de": [
        "Zeitpunkt", "Benutzer", "Aktion", "Datensatz", "Feld", "Alter Wert", "Neuer Wert",
        "Quelle", "IP-Adresse",
    ],
    "es": [
        "Fecha y hora", "Usuario", "Acción", "Registro", "Campo", "Valor anterior", "Valor nuevo",
        "Origen", "Dirección IP",
    ],
}  # fmt: skip

FIELDS = {
    "de": {
        "Adresse", "Archiviert", "Ausgestellt am", "Bankkonto", "Beginn", "Beschreibung", "Betrag",
        "E-Mail-Adresse", "Eingegangen am", "Einzelpreis", "Fällig am", "Gesendet an",
        "Grund der Annullierung", "Leitstelle", "Menge", "Monatspreis", "Nummer", "Passwort",
        "Priorität", "Rechte", "SV-Nummer", "Schlagwörter", "Schritt", "Seriennummer", "Status",
        "Stunden", "Teilnehmernummer", "Telefon", "Unterzeichner", "Vertragslaufzeit",
        "Zahlungsart", "Zugewiesen an",
    },
    "es": {
        "Archivado", "Asignado a", "Cantidad", "Central receptora", "Comienzo", "Contraseña",
        "Correo electrónico", "Cuenta bancaria", "Cuota mensual", "Descripción", "Dirección",
        "Duración del contrato", "Enviado a", "Estado", "Etiquetas", "Fecha de emisión",
        "Fecha de recepción", "Fecha de vencimiento", "Firmante", "Forma de pago", "Horas",
        "Importe", "Motivo de la anulación", "NSS", "Número", "Número de abonado",
        "Número de serie", "Paso", "Permisos", "Precio unitario", "Prioridad", "Teléfono",
    },
}  # fmt: skip

CHANGES = {
    "de": {
        ("Rechnung überfällig", "Rechnung INV-1001", "Status", "Offen", "Überfällig"),
        ("Geändert", "Kunde", "Vertragslaufzeit", "36 Monate", "60 Monate"),
        ("Geändert", "Kunde", "Monatspreis", "48,99 $", "39,99 $"),
        ("Workflow fortgesetzt", "Workflow Renewal", "Schritt", "Angebot gesendet", "Nachfassen"),
        ("Gerät ausgetauscht", "Gerät Kitchen", "Seriennummer", "SD-300981", "SD-410077"),
    },
    "es": {
        ("Factura vencida", "Factura INV-1001", "Estado", "Pendiente", "Vencida"),
        ("Modificación", "Cliente", "Duración del contrato", "36 meses", "60 meses"),
        ("Modificación", "Cliente", "Cuota mensual", "48,99 $", "39,99 $"),
        (
            "Flujo de trabajo avanzado", "Flujo de trabajo Renewal", "Paso", "Oferta enviada",
            "Seguimiento",
        ),
        ("Equipo sustituido", "Equipo Kitchen", "Número de serie", "SD-300981", "SD-410077"),
    },
}  # fmt: skip

FILTERS = {
    "de": {
        "Benutzer", "Aktion", "Datensatz", "Feld", "Quelle", "Datum", "Rechnung erstellt",
        "Ticket geschlossen", "Fällig am", "Monatspreis", "Jede Änderung",
    },
    "es": {
        "Usuario", "Acción", "Registro", "Campo", "Origen", "Fecha", "Factura generada",
        "Ticket cerrado", "Fecha de vencimiento", "Cuota mensual", "Últimos 7 días",
    },
}  # fmt: skip

ADMIN = {
    "de": [
        "Verwaltung von Alarm CRM", "Arbeitsaufträge", "Dateien", "E-Dokumente", "Finanzierung",
        "Firmen", "Geräte", "Kunden", "Mitarbeiter", "Notizen", "Portalkontakte", "Portalrechte",
        "Portalzugänge", "Rechnungen", "Schlagwörter", "Termine", "Tickets", "Workflows",
        "Zahlungsmittel", "Zusatzfelder", "Kundenverlauf", "Vertrauliche Felder",
        "Verlaufseinträge",
    ],
    "es": [
        "Administración de Alarm CRM", "Accesos al portal", "Archivos", "Campos personalizados",
        "Citas", "Clientes", "Contactos del portal", "Documentos electrónicos", "Empleados",
        "Empresas", "Equipos", "Etiquetas", "Facturas", "Financiación", "Flujos de trabajo",
        "Medios de pago", "Notas", "Permisos del portal", "Tickets", "Órdenes de trabajo",
        "Historial de clientes", "Campos confidenciales", "Entradas del historial",
    ],
}  # fmt: skip

RECORDS = (
    "notes", "tickets", "appointments", "work-orders", "equipment", "workflows", "invoices",
    "billing-methods", "funding", "files", "e-documents", "portal", "portal-contacts", "edit",
    "invoices/new", "invoices/1", "invoices/1/edit", "tickets/1", "tickets/1/edit",
    "tickets/1/delete", "work-orders/1", "history", "history?filter=open", "",
)  # fmt: skip


class TestPages:
    @each_language
    def test_list_of_customers(self, browsers, language):
        texts = texts_of(browsers[language].open("/lantern/customers"))
        assert [one for one in CUSTOMERS[language] if one not in texts] == []

    @each_language
    def test_index_of_the_admin(self, browsers, language):
        texts = texts_of(browsers[language].open("/admin/"))
        assert [one for one in ADMIN[language] if one not in texts] == []

    @each_language
    @pytest.mark.parametrize("path", RECORDS)
    def test_customer_has_no_english(self, browsers, first_page, language, path):
        customer = first_page.removesuffix("/history")
        texts = texts_of(browsers[language].open(f"{customer}/{path}".removesuffix("/")))
        assert len(texts) > 40
        assert set(texts) & english_texts(language) <= DATA | NOT_OURS

    @each_language
    @pytest.mark.parametrize(
        "path",
        [
            "/lantern/customers",
            "/lantern/customers?status=archived",
            "/lantern/customers/new",
            "/lantern/fields",
            "/lantern/fields/1/edit",
            "/lantern/jobs",
            "/admin/",
            "/admin/crm/customer/",
            "/admin/crm/customer/1/change/",
            "/admin/crm/invoice/1/change/",
        ],
    )
    def test_other_pages_have_no_english(self, browsers, language, path):
        texts = texts_of(browsers[language].open(path))
        assert len(texts) > 20
        assert set(texts) & english_texts(language) <= DATA | NOT_OURS

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("de", "Harbor Security: sieht nichts von Lantern Alarm"),
            ("es", "Harbor Security: no ve nada de Lantern Alarm"),
        ],
    )
    def test_the_log_in_names_the_users(self, second_run, language, text):
        stranger = Browser(second_run.site, ip_address="192.0.2.1", language=language)
        texts = texts_of(stranger.open("/log-in"))
        assert text in texts
        assert "auditor" in texts
        assert set(texts) & english_texts(language) == set()

    @pytest.mark.parametrize(
        ("language", "button", "said"),
        [
            ("de", "Leitstelle abgleichen", "0 Teilnehmernummern übernommen."),
            ("es", "Sincronizar con la central", "0 números de abonado copiados."),
        ],
    )
    def test_messages(self, browsers, language, button, said):
        browsers[language].submit("/lantern/jobs", button)
        assert said in texts_of(browsers[language].submit("/lantern/jobs", button))


class TestTab:
    @each_language
    def test_the_tab_has_translated_names(self, browsers, first_page, language):
        assert read_columns(browsers[language].open(first_page)) == COLUMNS[language]
        changes = whole_history(browsers[language], first_page)
        assert FIELDS[language] - {change.field for change in changes} == set()
        seen = {(one.action, one.entity, one.field, one.old, one.new) for one in changes}
        assert CHANGES[language] - seen == set()

    @each_language
    def test_the_menus_of_filters(self, browsers, first_page, language):
        page = browsers[language].open(f"{first_page}?filter=open")
        assert FILTERS[language] - set(texts_of(page)) == set()

    def test_notes_have_the_sites_language(self, browsers, first_page):
        """A note that a job wrote is stored, so it does not change with the reader."""
        page = browsers["de"].open(first_page.replace("/history", "/notes"))
        assert re.search(r"Payment reminder for invoice INV-1001: \$\d+\.\d\d was due", page.text)


class TestMenu:
    def test_the_menu_keeps_the_page(self, people, first_page):
        auditor = people("auditor")
        path = f"{first_page}?kind=update&filter=open"
        german = auditor.submit(path, "Deutsch", {"language": "de"})
        assert german.url.endswith(path)
        assert read_columns(german) == COLUMNS["de"]
        english = auditor.submit(path, "English", {"language": "en"})
        assert urlsplit(english.url).query == "kind=update&filter=open"
        assert read_columns(english)[0] == "Timestamp"
