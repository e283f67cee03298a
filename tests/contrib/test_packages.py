"""Other packages in a project, each in its released version."""

import os
import shutil

import pytest
from django.db import connection

from tests.extras import MISSING, needs

pytestmark = pytest.mark.slow

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

# What Bootstrap 5 and Tailwind do to every table and every icon.
OF_OTHERS = "<style>caption { caption-side: bottom } svg { display: block }</style>"


@pytest.fixture
def anywhere():
    """Run on one database only: what is tested does not depend on it."""
    if connection.vendor != "sqlite":
        pytest.skip("the same on every database")


@needs("polymorphic")
class TestPolymorphic:
    @pytest.fixture
    def seen(self, run_scenario):
        return run_scenario("polymorphic", "polymorphic")

    def test_rows_keep_their_class(self, seen):
        assert seen["class"] == "Fleet"

    def test_each_part_is_recorded(self, seen):
        numbers = {
            kind: sorted(
                (model.removeprefix("others."), changes["number"])
                for one, model, changes in seen["entries"]
                if one == kind and "number" in changes
            )
            for kind in ("create", "delete")
        }
        parts = ["contract", "fleet", "lease"]
        assert numbers["create"] == [(part, [None, "F1"]) for part in parts]
        assert numbers["delete"] == [(part, ["F3", None]) for part in parts]

    def test_changes_of_every_part(self, seen):
        changed = [(model, changes) for kind, model, changes in seen["entries"] if kind == "update"]
        for change in ({"number": ["F1", "F2"]}, {"number": ["F2", "F3"]}):
            assert sorted(model for model, one in changed if one == change) == [
                "others.contract",
                "others.fleet",
                "others.lease",
            ]
        assert ("others.fleet", {"cars": ["3", "4"]}) in changed

    def test_state_of_a_child(self, seen):
        state = {name: seen["state"][name] for name in ("number", "rent", "cars")}
        assert state == {"number": "F3", "rent": "10.00", "cars": "4"}


@needs("encrypted_fields")
class TestEncryptedFields:
    @pytest.fixture
    def seen(self, run_scenario):
        return run_scenario("encrypted", "encrypted_fields")

    def test_check_names_field_and_fix(self, seen):
        ((check, message, hint),) = seen["checks"]
        assert check == "customer_history.W065"
        assert message.startswith("others.Patient.notes is encrypted.")
        assert 'secret=["notes"]' in hint

    def test_log_has_no_clear_text(self, seen):
        assert seen["logged"] == ["diagnosis", "name", "notes"]
        assert seen["clear"] == []


@pytest.mark.usefixtures("anywhere")
class TestCaches:
    @pytest.mark.parametrize(
        ("name", "fix"),
        [
            pytest.param("cachalot", "CACHALOT_UNCACHABLE_TABLES", marks=needs("cachalot")),
            pytest.param("cacheops", '"customer_history.*": None', marks=needs("cacheops")),
        ],
    )
    def test_check_names_the_setting(self, run_scenario, name, fix):
        seen = run_scenario("caching", name)
        ((check, message, hint),) = seen["checks"]
        assert check == "customer_history.W066"
        assert message.startswith(f"{name} caches queries of the log.")
        assert fix in hint
        assert seen["read"] == [1, 2, 2]  # without the fix it is stale

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("cachalot", marks=needs("cachalot")),
            pytest.param("cacheops", marks=needs("cacheops")),
        ],
    )
    def test_uncached_log_is_never_stale(self, run_scenario, name):
        seen = run_scenario("caching", name, HISTORY_UNCACHED="1")
        assert seen == {"checks": [], "read": [1, 2, 3]}


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize(
    "theme",
    [
        pytest.param("unfold", marks=needs("unfold")),
        pytest.param("jazzmin", marks=needs("jazzmin")),
    ],
)
class TestAdminThemes:
    def test_pages_render(self, run_scenario, theme):
        seen = run_scenario("theme", theme)
        assert seen["statuses"] == {"history": 200, "log": 200, "marks": 200, "change": 200}
        assert seen["shows"] == {"history": True, "log": True, "marks": False, "change": True}

    @pytest.mark.skipif(CHROMIUM is None, reason=f"{MISSING}no Chromium")
    def test_icons_and_captions(self, run_scenario, theme):
        reason = f"{MISSING}playwright is not installed"
        playwright = pytest.importorskip("playwright.sync_api", reason=reason)
        # Unfold hides parts of the page until its scripts run. There is no server for them here.
        text = OF_OTHERS + run_scenario("theme", theme)["page"].replace("x-cloak", "")
        with playwright.sync_playwright() as started:
            sandbox = [] if os.geteuid() else ["--no-sandbox"]
            browser = started.chromium.launch(executable_path=CHROMIUM, args=sandbox)
            page = browser.new_page(viewport={"width": 1600, "height": 900})
            page.set_content(text)
            caption = page.locator(".customer-history caption").first.bounding_box()
            rows = page.locator(".customer-history tbody").first.bounding_box()
            icon = page.locator(".ch-user svg").first.bounding_box()
            user = page.locator(".ch-user a").first.bounding_box()
            browser.close()
        assert caption["y"] < rows["y"]
        assert icon["y"] < user["y"] + user["height"]
        assert user["y"] < icon["y"] + icon["height"]


@needs("taggit")
class TestTaggit:
    @pytest.fixture
    def seen(self, run_scenario):
        return run_scenario("taggit", "taggit")

    def test_check_names_the_model(self, seen):
        ((_check, message, hint),) = seen["checks"]
        assert message.startswith("others.Draft: links of 'tags' are not recorded")
        assert "others.DraftTag" in hint

    def test_tags_are_on_the_tab(self, seen):
        assert seen["entries"] == [
            ["create", "others.article"],
            ["create", "taggit.taggeditem"],
            ["create", "taggit.taggeditem"],
            ["delete", "taggit.taggeditem"],
        ]
        quartz, zircon = seen["keys"]["quartz"], seen["keys"]["zircon"]
        assert sorted(seen["tags"][:2]) == sorted([[None, quartz], [None, zircon]])
        assert seen["tags"][2] == [zircon, None]

    def test_tags_have_their_names(self, seen):
        assert seen["shown"] == [True, True]


@needs("ninja")
class TestNinja:
    def test_user_of_the_token(self, run_scenario):
        seen = run_scenario("ninja", "ninja")
        assert seen == {"status": 200, "changes": {"name": ["Acme", "Beta"]}, "user": "bob"}


@needs("django_test_migrations")
class TestMigrationsPackage:
    def test_each_step_is_recorded(self, run_scenario):
        seen = run_scenario("test_migrations", "tests.projects.renamed")
        assert seen["entries"] == [
            ["create", {"name": [None, "Cellar"]}],
            ["update", {"title": ["Cellar", "Hall"]}],
            ["delete", {"title": ["Hall", None]}],
        ]
        assert seen["last"] == "renamed.room"
        assert seen["problems"] == []


@needs("django_tenants")
class TestTenants:
    @pytest.fixture
    def seen(self, run_scenario):
        if connection.vendor != "postgresql":
            pytest.skip("only PostgreSQL has schemas")
        return run_scenario("tenants", project="tenanted")

    def test_each_schema_has_its_log(self, seen):
        assert seen["read"] == {"north": 2, "south": 2}
        for schema, name in (("north", "North"), ("south", "South")):
            assert seen["logged"][schema] == [
                ["create", "others.customer", [None, name]],
                ["update", "others.customer", [name, f"{name} Inc."]],
            ]

    def test_shared_models(self, seen):
        assert seen["logged"]["public"] == [
            ["create", "tenanted.company", [None, "North"]],
            ["create", "tenanted.company", [None, "South"]],
            ["update", "tenanted.company", ["South", "South Ltd."]],
        ]

    def test_nothing_is_wrong(self, seen):
        assert seen["problems"] == {"public": [], "north": [], "south": []}
