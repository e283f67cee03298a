"""Each code block of the documents has a test for its language.

Python runs in a project with the models that the documents mention, and mypy checks it. A block
below `<!-- runnable -->` runs with the models of the tests, and its assertions must hold.
"""

import json
import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.staticfiles import finders
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations import Migration
from django.template import engines
from django.urls import resolve

from django_customer_history import history, masks
from django_customer_history.models import Entry
from tests.documents import (
    DOCS,
    PACKAGE,
    PAGES,
    PROJECT,
    ROOT,
    blocks_of,
    run_documented_python,
    skip_unless_sqlite,
)
from tests.extras import skip_missing
from tests.projects.crm.models import Claim, Customer, Invoice, Note, Ticket

BLOCKS = [block for path in PAGES for block in blocks_of(path)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
OF_THE_TUTORIAL = "docs/tutorial.md"
"""Its blocks run one after the other, in `test_docs.py`."""
FREE = [one for one in PYTHON if one.path != OF_THE_TUTORIAL]


def blocks_in(*languages):
    return [block for block in BLOCKS if block.language in languages]


@pytest.fixture(scope="module")
def problems_by_block():
    """Return the problems of each block that runs in the project of the documents."""
    skip_unless_sqlite()
    blocks = {str(one): one.text for one in FREE if not one.is_runnable and is_installed(one)}
    trial = "import django; django.setup(); import trial; trial.main()"
    done = run_documented_python("-c", trial, stdin=json.dumps(blocks))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_installed(block):
    """Return whether the packages that a block imports are installed; extras may be missing."""
    named = re.findall(r"^(?:from|import) (\w+)", block.text, re.MULTILINE)
    return all(find_spec(one) or (PROJECT / one).exists() for one in named)


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
"""The names that a block uses without an import."""


def module_of(block):
    return re.sub(r"\W", "_", str(block))


@pytest.fixture(scope="module")
def mypy_output(tmp_path_factory):
    """Return the output of mypy for all blocks."""
    skip_unless_sqlite()
    if find_spec("mypy") is None or find_spec("mypy_django_plugin") is None:
        skip_missing("mypy and django-stubs (the group 'lint')")
    folder = tmp_path_factory.mktemp("blocks")
    for block in FREE:
        given = GIVEN["runnable" if block.is_runnable else "other"]
        text = given + "\n" * (block.line - 1) + block.text
        (folder / f"{module_of(block)}.py").write_text(text, encoding="utf-8")
    cache = ROOT / ".mypy_cache" / "documents"
    options = ("--config-file", str(PROJECT / "mypy.ini"), "--cache-dir", str(cache))
    done = run_documented_python(
        "-m", "mypy", *options, ".", folder=folder, MYPYPATH=f"{PROJECT}:{PACKAGE.parent}"
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


class TestPython:
    @pytest.mark.django_db
    @pytest.mark.parametrize("block", [one for one in PYTHON if one.is_runnable], ids=str)
    def test_runnable_block_holds(self, block, customer, user):
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

    @pytest.mark.parametrize("block", [one for one in FREE if not one.is_runnable], ids=str)
    def test_block_runs_with_valid_settings(self, block, problems_by_block):
        if "pyspark" in block.text:
            pytest.skip("PySpark takes half a gigabyte, and Java")
        if str(block) not in problems_by_block:
            skip_missing("a package that the block imports")
        problems = problems_by_block[str(block)]
        assert problems == [], "\n".join(problems)

    @pytest.mark.slow
    @pytest.mark.parametrize("block", FREE, ids=str)
    def test_block_has_right_types(self, block, mypy_output):
        own = [
            line for line in mypy_output.splitlines() if line.startswith(f"{module_of(block)}.py:")
        ]
        wrong = [line for line in own if "error: " in line and not line.endswith(OF_CHANNELS)]
        assert wrong == [], "\n".join(own)


OF_CHANNELS = (
    'incompatible type "HistoryConsumerMiddleware"; expected "Callable[..., HttpResponseBase]"'
    "  [arg-type]"
)
"""Routes of Channels use Django's `path`, whose type accepts only views."""


class TestOtherLanguages:
    @pytest.mark.parametrize("block", BLOCKS, ids=str)
    def test_language_is_tested(self, block):
        tested = (
            "python",
            "console",
            "html+django",
            "json",
            "css",
            "po",
            "sql",
            "postgresql",
            "text",
        )
        directives = ("{eval-rst}", "{image}", "{toctree}")
        assert block.language in (*tested, *directives)

    @pytest.mark.parametrize("block", blocks_in("text"), ids=str)
    def test_text_is_command_output(self, block):
        if block.path != OF_THE_TUTORIAL:
            assert re.fullmatch(r"\d+ entries, SHA-256 [0-9a-f]{64}\n", block.text)

    @pytest.mark.parametrize("block", blocks_in("json"), ids=str)
    def test_json_can_be_parsed(self, block):
        json.loads(block.text)

    @pytest.mark.parametrize("block", blocks_in("css"), ids=str)
    def test_css_sets_known_variables(self, block):
        sheet = Path(finders.find("customer_history/history.css")).read_text(encoding="utf-8")
        known = set(re.findall(r"--customer-history-[\w-]+", sheet))
        named = set(re.findall(r"--customer-history-[\w-]+(?=:)", block.text))
        assert named
        assert named <= known

    @pytest.mark.parametrize("block", blocks_in("po"), ids=str)
    def test_translated_text_exists(self, block):
        catalog = PACKAGE / "locale/de/LC_MESSAGES/django.po"
        text, _, _ = block.text.partition("msgstr")
        assert text in catalog.read_text(encoding="utf-8")


class TestSql:
    """Blocks of SQL run in a test. Roles and backups have their own modules."""

    TESTED = {f"docs/how-to/{name}.md" for name in ("backup", "postgresql-roles", "reasons")}

    @pytest.mark.parametrize("block", blocks_in("sql", "postgresql"), ids=str)
    def test_sql_runs_in_a_test(self, block):
        assert block.path in self.TESTED

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "block", [one for one in blocks_in("sql") if "/reasons.md" in one.path], ids=str
    )
    def test_gives_reason_in_plain_sql(self, block, customer):
        if connection.vendor != ("postgresql" if "set_config" in block.text else "mysql"):
            pytest.skip("the block is for another database")
        with history.acting(reason="storm"):
            Claim.objects.create(customer=customer, amount="100.00")
        with connection.connection.cursor() as cursor:  # the cursor of the driver, without Django
            cursor.execute(block.text)
            cursor.execute("UPDATE crm_claim SET amount = 900")
        entry = history.entries_for(customer)[0]
        assert entry.changes == {"amount": ["100.00", "900.00"]}
        assert (entry.source, entry.context) == ("integration", {"reason": "by hand"})


class TestTemplates:
    """A template is rendered as a page, or in place of the template that it extends."""

    @pytest.fixture
    def page(self, client, customer, django_user_model, settings):
        """Return a function that renders a URL for a superuser, with the given templates."""
        settings.ROOT_URLCONF = "tests.projects.documented_urls"
        client.force_login(django_user_model.objects.create_superuser("root"))
        customer.notes.create(text="Called.")

        def shown(path, **templates):
            base = "".join(
                f"{{% block {name} %}}{{% endblock %}}"
                for name in ("stylesheets", "tab", "content")
            )
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
    def test_template_is_rendered(self, block, page):
        # A template of the package that a block extends, or that it replaces, as its comment says.
        replaced = re.match(
            r'{(?:% extends "|# templates/)(customer_history/\w+\.html)', block.text
        )
        if replaced:
            shown = page("/customers/{}/history/", **{replaced[1]: block.text})
        else:
            load = "" if "{% load" in block.text else "{% load customer_history %}"
            shown = page("/customers/{}/", **{"crm/customer.html": load + block.text})
        (expected,) = [texts for part, texts in SHOWN_BY_PART.items() if part in block.text]
        for text in expected:
            assert text in shown


SHOWN_BY_PART = {
    ">Export</a>": ["/export/?format=xlsx"],
    "{% history_tab customer %}": ["customer_history/history.css", "Called."],
    "{% history_tab_link customer %}": ["Details", "customer-history-link", "History"],
    "{% block user %}": ['<a href="/people/'],
    "{% block heading %}": ["customer_history/history.css", "<h1><bdi>Acme</bdi></h1>", "Called."],
}


class TestPatches:
    """The page on changes in Django names real changes."""

    PAGE = (DOCS / "explanation" / "patches.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("owner", [BaseCommand, Migration], ids=lambda one: one.__name__)
    def test_wrapped_methods(self, owner):
        names = re.findall(rf"`{owner.__name__}\.(\w+)`", self.PAGE)
        assert names
        for name in names:
            assert hasattr(getattr(owner, name), "__wrapped__")

    @pytest.mark.parametrize("package", ["django.tasks", "django_tasks"])
    def test_wrapped_task_methods(self, package):
        if find_spec(package) is None:
            pytest.skip(f"not installed: {package}")
        task = import_module(f"{package}.base").Task
        (row,) = re.findall(r"^\| \[`Task\.(.+?)\]\(", self.PAGE, re.MULTILINE)
        for name in re.findall(r"\w+", row):
            assert hasattr(getattr(task, name), "__wrapped__")

    def test_wrapped_celery_method(self):
        celery = pytest.importorskip("celery")
        assert "`Celery.send_task`" in self.PAGE
        assert hasattr(celery.Celery.send_task, "__wrapped__")

    @pytest.mark.django_db
    def test_replaced_flush_methods(self):
        names = re.findall(r"`connection\.ops\.(\w+)`", self.PAGE)
        assert names
        assert set(names) <= vars(connection.ops).keys()

    def test_replaced_schema_editor(self):
        assert "`SchemaEditorClass`" in self.PAGE
        assert connection.SchemaEditorClass.__module__ != f"{type(connection).__module__}.schema"

    @pytest.mark.django_db
    def test_pragma_of_sqlite(self):
        if connection.vendor != "sqlite":
            pytest.skip("only SQLite has the pragma")
        assert "`PRAGMA recursive_triggers = ON`, and off again" in self.PAGE
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA recursive_triggers")
            assert cursor.fetchone() == (0,)


class TestCommandLines:
    @pytest.mark.parametrize("block", blocks_in("console"), ids=str)
    def test_program_accepts_arguments(self, block):
        for line in block.text.replace("\\\n", " ").splitlines():
            assert line.startswith("$ ")
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            PROGRAMS[words[0]](words[1:])


def _of_django(words):
    name, *options = words
    for redirection in {">", ">>"}.intersection(options):
        options = options[: options.index(redirection)]
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
    (url,) = [word for word in words if word.startswith("https://example.com")]
    path = url.removeprefix("https://example.com").partition("?")[0]
    path = path.replace("$ID", str(UUID(int=7)))
    assert resolve(path).app_name == "customer_history_api"


PROGRAMS = {
    # The tests of backups run these.
    **dict.fromkeys(("createdb", "mariadb", "mariadb-dump", "pg_dump", "pg_restore"), print),
    **dict.fromkeys(("psql", "sqlite3"), print),
    "openssl": print,  # The tests of timestamps run it.
    "curl": _of_curl,
    "django-admin": _of_django,
    "make": _of_make,
    "pip": _of_pip,
    "python": _of_python,
    "source": lambda words: None,
}
