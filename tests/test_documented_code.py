"""Every block of code in the documents is tried, by its language.

Python is run in a project of models such as the documents speak of, and checked by mypy; a block
below `<!-- runnable -->` is run with the models of the tests besides, and must keep its word.
"""

import json
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.staticfiles import finders
from django.core.management import get_commands, load_command_class
from django.db import connection
from django.template import engines
from django.urls import resolve

from django_customer_history import (
    history,
    masks,
)
from django_customer_history.models import Entry
from tests.documents import (
    PACKAGE,
    PAGES,
    PROJECT,
    ROOT,
    blocks_of,
    of_the_run_on_sqlite,
    python_of_the_documents,
)
from tests.extras import skip_missing
from tests.projects.crm.models import Claim, Customer, Invoice, Note, Ticket

BLOCKS = [block for path in PAGES for block in blocks_of(path)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
OF_THE_TUTORIAL = "docs/tutorial.md"
"""Its blocks are carried out one after the other: `test_docs.py`."""
FREE = [one for one in PYTHON if one.path != OF_THE_TUTORIAL]


def blocks_in(*languages):
    return [block for block in BLOCKS if block.language in languages]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_its_language_and_is_tried_by_it(block):
    tried = ("python", "console", "html+django", "json", "css", "po", "sql", "postgresql", "text")
    directives = ("{eval-rst}", "{image}", "{toctree}")
    assert block.language in (*tried, *directives)


@pytest.mark.django_db
@pytest.mark.parametrize("block", [one for one in PYTHON if one.is_runnable], ids=str)
def test_a_runnable_block_keeps_its_word(block, customer, user):
    invoice = Invoice.objects.create(customer=customer, number="INV-7")
    names = {
        "Claim": Claim,
        "Customer": Customer,
        "Entry": Entry,
        "Note": Note,
        "Ticket": Ticket,
        "customer": customer,
        "history": history,
        "invoice": invoice,
        "masks": masks,
        "user": user,
    }
    exec(compile(block.text, str(block), "exec"), names)


@pytest.fixture(scope="module")
def tried():
    """What is wrong with each block that was run in the project of the documents."""
    of_the_run_on_sqlite()
    blocks = {str(one): one.text for one in FREE if not one.is_runnable and is_installed(one)}
    trial = "import django; django.setup(); import trial; trial.main()"
    done = python_of_the_documents("-c", trial, stdin=json.dumps(blocks))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_installed(block):
    """Return whether what a block imports is there: an extra, or another package, may not be."""
    named = re.findall(r"^(?:from|import) (\w+)", block.text, re.MULTILINE)
    return all(find_spec(one) or (PROJECT / one).exists() for one in named)


@pytest.mark.parametrize("block", [one for one in FREE if not one.is_runnable], ids=str)
def test_a_block_runs_and_its_registrations_and_settings_are_right(block, tried):
    if str(block) not in tried:
        skip_missing("a package that the block imports")
    assert tried[str(block)] == [], "\n".join(tried[str(block)])


GIVEN = {
    "runnable": (
        "from django.contrib.auth.models import User;"
        " from crm.models import Claim, Customer, Note, Ticket;"
        " from billing.models import Invoice; from django_customer_history import history, masks;"
        " from django_customer_history.models import Entry;"
        " customer = Customer(); invoice = Invoice(); user = User()"
    ),
    "other": "INSTALLED_APPS: list[str] = []; MIDDLEWARE: list[str] = []",
}
"""The names that a block may take for granted."""


def module_of(block):
    return re.sub(r"\W", "_", str(block))


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory):
    """What mypy finds in each block."""
    of_the_run_on_sqlite()
    if find_spec("mypy") is None or find_spec("mypy_django_plugin") is None:
        skip_missing("mypy and django-stubs (the group 'lint')")
    folder = tmp_path_factory.mktemp("blocks")
    for block in FREE:
        given = GIVEN["runnable" if block.is_runnable else "other"]
        text = given + "\n" * (block.line - 1) + block.text
        (folder / f"{module_of(block)}.py").write_text(text, encoding="utf-8")
    cache = ROOT / ".mypy_cache" / "documents"
    options = ("--config-file", str(PROJECT / "mypy.ini"), "--cache-dir", str(cache))
    done = python_of_the_documents(
        "-m", "mypy", *options, ".", folder=folder, MYPYPATH=f"{PROJECT}:{PACKAGE.parent}"
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("block", FREE, ids=str)
def test_a_block_has_the_right_types(block, mistakes):
    own = [line for line in mistakes.splitlines() if line.startswith(f"{module_of(block)}.py:")]
    wrong = [line for line in own if "error: " in line and not line.endswith(OF_CHANNELS)]
    assert wrong == [], "\n".join(own)


OF_CHANNELS = (
    'incompatible type "HistoryConsumerMiddleware"; expected "Callable[..., HttpResponseBase]"'
    "  [arg-type]"
)
"""Routes of Channels are Django's `path`, whose type knows views alone."""


@pytest.mark.parametrize("block", blocks_in("text"), ids=str)
def test_a_block_of_text_is_what_a_command_prints(block):
    if block.path != OF_THE_TUTORIAL:
        assert re.fullmatch(r"\d+ entries, SHA-256 [0-9a-f]{64}\n", block.text)


@pytest.mark.parametrize("block", blocks_in("json"), ids=str)
def test_a_block_of_json_is_json(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks_in("css"), ids=str)
def test_a_block_of_css_sets_variables_that_there_are(block):
    sheet = Path(finders.find("customer_history/history.css")).read_text(encoding="utf-8")
    known = set(re.findall(r"--customer-history-[\w-]+", sheet))
    named = set(re.findall(r"--customer-history-[\w-]+(?=:)", block.text))
    assert named
    assert named <= known


@pytest.mark.parametrize("block", blocks_in("po"), ids=str)
def test_a_block_of_a_translation_is_of_a_text_of_the_package(block):
    catalogue = PACKAGE / "locale/de/LC_MESSAGES/django.po"
    text, _, _ = block.text.partition("msgstr")
    assert text in catalogue.read_text(encoding="utf-8")


class TestSql:
    """Blocks of SQL are carried out: elsewhere those of roles and of backups."""

    TRIED = {f"docs/how-to/{name}.md" for name in ("backup", "postgresql-roles", "reasons")}

    @pytest.mark.parametrize("block", blocks_in("sql", "postgresql"), ids=str)
    def test_is_carried_out_by_a_test(self, block):
        assert block.path in self.TRIED

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "block", [one for one in blocks_in("sql") if "/reasons.md" in one.path], ids=str
    )
    def test_gives_a_reason_to_a_program_with_sql_of_its_own(self, block, customer):
        if connection.vendor != ("postgresql" if "set_config" in block.text else "mysql"):
            pytest.skip("the block is for another database")
        with history.acting(reason="storm"):
            Claim.objects.create(customer=customer, amount="100.00")
        with connection.connection.cursor() as cursor:  # the driver's own, past Django
            cursor.execute(block.text)
            cursor.execute("UPDATE crm_claim SET amount = 900")
        entry = history.entries_for(customer)[0]
        assert entry.changes == {"amount": ["100.00", "900.00"]}
        assert (entry.source, entry.context) == ("integration", {"reason": "by hand"})


class TestTemplates:
    """A block of a template is rendered, as a page of its own or as the one that it extends."""

    @pytest.fixture
    def page(self, client, customer, django_user_model, settings):
        """Return what a superuser sees of a page made of these templates."""
        settings.ROOT_URLCONF = "tests.projects.documented_urls"
        client.force_login(django_user_model.objects.create_superuser("root"))
        customer.notes.create(text="Called.")

        def shown(path, **templates):
            base = "{% block stylesheets %}{% endblock %}{% block tab %}{% endblock %}"
            given = {"crm/base.html": base, **templates}
            (engine,) = settings.TEMPLATES
            loaders = [
                ("django.template.loaders.locmem.Loader", given),
                "django.template.loaders.app_directories.Loader",
            ]
            options = {**engine["OPTIONS"], "loaders": loaders}
            settings.TEMPLATES = [{"BACKEND": engine["BACKEND"], "OPTIONS": options}]
            engines._templates = None
            return client.get(path.format(customer.pk)).content.decode()

        yield shown
        engines._templates = None

    @pytest.mark.django_db
    @pytest.mark.parametrize("block", blocks_in("html+django"), ids=str)
    def test_is_rendered(self, block, page):
        replaced = re.match(r'{% extends "(customer_history/\w+\.html)" %}', block.text)
        if replaced:
            shown = page("/customers/{}/history/", **{replaced[1]: block.text})
        else:
            load = "" if "{% load" in block.text else "{% load customer_history %}"
            shown = page("/customers/{}/", **{"crm/customer.html": load + block.text})
        (expected,) = [text for start, text in IN_THE_PAGE.items() if start in block.text]
        for text in expected:
            assert text in shown


IN_THE_PAGE = {
    ">Export</a>": ["/export/?format=xlsx"],
    "{% history_tab customer %}": ["customer_history/history.css", "Called."],
    "{% history_tab_link customer %}": ["Details", "customer-history-link", "History"],
    "{% block user %}": ['<a href="/people/'],
}


class TestCommandLines:
    @pytest.mark.parametrize("block", blocks_in("console"), ids=str)
    def test_are_understood_by_the_programs_that_they_call(self, block):
        for line in block.text.replace("\\\n", " ").splitlines():
            assert line.startswith("$ ")
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            PROGRAMS[words[0]](words[1:])


def _of_django(words):
    name, *options = words
    if ">" in options:
        options = options[: options.index(">")]
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(options)


def _of_python(words):
    if words[0] == "-m":
        assert find_spec(words[1].partition(".")[0])
    else:
        assert words[0] == "manage.py"
        _of_django(words[1:])


def _of_make(words):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words[0] in targets


def _of_pip(words):
    assert words[0] == "install"
    assert re.match(r"django-customer-history(\[\w+\])?$", words[-1])


def _of_curl(words):
    (address,) = [word for word in words if word.startswith("https://example.com")]
    path = address.removeprefix("https://example.com").partition("?")[0]
    path = path.replace("$ID", str(UUID(int=7)))
    assert resolve(path).app_name == "customer_history_api"


PROGRAMS = {
    # What the tests of backups carry out.
    **dict.fromkeys(("createdb", "mariadb", "mariadb-dump", "pg_dump", "pg_restore"), print),
    **dict.fromkeys(("psql", "sqlite3"), print),
    "curl": _of_curl,
    "django-admin": _of_django,
    "make": _of_make,
    "pip": _of_pip,
    "python": _of_python,
    "source": lambda words: None,
}
