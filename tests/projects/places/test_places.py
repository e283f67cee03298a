"""Geometries of GeoDjango: their text in the log, and everything that reads it."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.db import connection

from tests.extras import skip_missing

ROOT = Path(__file__).parents[3]
NAME = f"history_test_places_{uuid.uuid4().hex[:8]}"
LIBRARIES = "from django.contrib.gis import gdal, geos; gdal.gdal_version(); geos.geos_version()"
SPATIALITE = (
    "import sqlite3; one = sqlite3.connect(':memory:'); one.enable_load_extension(True);"
    " one.load_extension('mod_spatialite')"
)

EXACT = "0101000020E61000009A9999999999B93F343333333333D33F"
ROUNDED = "0101000020E61000009A9999999999B93F333333333333D33F"
MOVED = "0101000020E610000000000000000014400000000000001840"
SQUARE = (
    "0103000020110F00000100000004000000"
    "00000000000000000000000000000000"
    "000000000000F03F0000000000000000"
    "000000000000F03F000000000000F03F"
    "00000000000000000000000000000000"
)
POINT = "0101000020110F00000000000000001C400000000000002040"
PEAK = "01010000A0E6100000000000000000F03F00000000000000400000000000000840"
FLAT_PEAK = "0101000020E6100000000000000000F03F0000000000000040"
LINE = "0102000020E61000000200000000000000000000000000000000000000000000000000F83F0000000000000440"
NEW_LINE = (
    "0102000020E610000002000000000000000000F03F000000000000F03F00000000000000400000000000000040"
)
# Django gives a geometry to PostGIS as EWKB, and as WKT of 16 digits to the others.
SPOT = EXACT if connection.vendor == "postgresql" else ROUNDED
HEIGHT = FLAT_PEAK if connection.vendor == "mysql" else PEAK

# What MariaDB and MySQL have of each: GeoDjango stores no SRID there.
WKT = {
    SPOT: "SRID=0;POINT(0.1 0.3)",
    MOVED: "SRID=0;POINT(5 6)",
    SQUARE: "SRID=0;POLYGON((0 0,1 0,1 1,0 0))",
    POINT: "SRID=0;POINT(7 8)",
    HEIGHT: "SRID=0;POINT(1 2)",
    LINE: "SRID=0;LINESTRING(0 0,1.5 2.5)",
    NEW_LINE: "SRID=0;LINESTRING(1 1,2 2)",
}
EMPTY = {
    "sqlite": None,
    "postgresql": "0107000020110F000000000000",
    "mysql": "SRID=3857;GEOMETRYCOLLECTION EMPTY",
}


def python():
    """Return a Python that can load the libraries, and its path: that of this process, or Debian's.

    A Python that was compiled without loadable extensions cannot load SpatiaLite.
    """
    code = LIBRARIES if connection.vendor != "sqlite" else f"{LIBRARIES}; {SPATIALITE}"
    packages = [one for one in sys.path if "site-packages" in one]
    path = os.pathsep.join([str(ROOT / "src"), *packages])
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, f"/usr/bin/{version}"):
        done = run(program, "-c", code, path=path) if Path(program).exists() else None
        if done is not None and done.returncode == 0:
            return program, path
    return skip_missing("GDAL, GEOS or SpatiaLite, or a Python that can load them")


def run(*command, path, **variables):
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def database(django_db_setup, django_db_blocker, tmp_path_factory):
    """Return the URL of an empty database that can store geometries."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('places')}/db.sqlite3"
        return
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
    user = ":".join(filter(None, [settings["USER"], settings["PASSWORD"]]))
    server = ":".join(filter(None, [settings["HOST"] or "127.0.0.1", str(settings["PORT"] or "")]))
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
            if cursor.fetchone() is None:
                skip_missing("the extension PostGIS of the PostgreSQL server")
        cursor.execute(f"CREATE DATABASE {NAME}")
    yield f"{scheme}://{user}@{server}/{NAME}"
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME}")


@pytest.fixture(scope="module")
def seen(database):
    """Return what the scenario has seen."""
    program, path = python()
    done = run(
        program,
        "-m",
        "tests.projects.places.scenario",
        path=path,
        DATABASE_URL=database,
        DJANGO_SETTINGS_MODULE="tests.projects.places.settings",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def text(ewkb):
    """Return the text that the log has on this database."""
    return WKT[ewkb] if connection.vendor == "mysql" else ewkb


class TestLog:
    def test_orm_and_sql(self, seen):
        assert seen["places"] == [
            [
                "Create",
                {
                    "name": [None, "Camp"],
                    "spot": [None, text(SPOT)],
                    "shape": [None, text(SQUARE)],
                    "peak": [None, text(HEIGHT)],
                },
            ],
            ["Update", {"spot": [text(SPOT), text(MOVED)]}],
            [
                "Update",
                {"shape": [text(SQUARE), text(POINT)], "peak": [text(HEIGHT), None]},
            ],
        ]

    def test_record_in_two_tables(self, seen):
        assert seen["routes"][:4] == [
            [
                "Create",
                {
                    "name": [None, "Loop"],
                    "spot": [None, text(SPOT)],
                    "line": [None, text(LINE)],
                },
            ],
            ["Update", {"line": [text(LINE), text(NEW_LINE)]}],
            ["Update", {"spot": [text(SPOT), text(MOVED)]}],
            [
                "Delete",
                {
                    "name": ["Loop", None],
                    "spot": [text(MOVED), None],
                    "line": [text(NEW_LINE), None],
                },
            ],
        ]

    def test_truncate(self, seen):
        if connection.vendor != "postgresql":
            pytest.skip("TRUNCATE is logged on PostgreSQL only")
        action, changes = seen["truncated"]
        assert (action, changes["line"]) == ("Delete", [NEW_LINE, None])

    def test_column_is_gone(self, seen):
        """The trigger was made for more columns, and no write fails."""
        if connection.vendor != "postgresql":
            pytest.skip("other triggers name each column")
        assert seen["without a column"] == [
            "Create",
            {"name": [None, "Hut"], "spot": [None, MOVED]},
        ]

    def test_empty_geometry(self, seen):
        """SpatiaLite makes NULL of it."""
        assert seen["empty"] == EMPTY[connection.vendor]

    def test_no_problems(self, seen):
        assert seen["problems"] == []


class TestReaders:
    def test_as_of(self, seen):
        assert (
            seen["was"]
            == seen["read"]
            == [
                {"spot": SPOT, "shape": SQUARE, "peak": HEIGHT},
                {"spot": MOVED, "shape": SQUARE, "peak": HEIGHT},
                {"spot": MOVED, "shape": POINT, "peak": None},
            ]
        )

    def test_undo(self, seen):
        assert seen["undone"] == [True, {"spot": SPOT, "shape": POINT, "peak": None}]

    def test_restore(self, seen):
        is_complete, values = seen["restored"]
        assert is_complete
        assert values == {"spot": MOVED, "shape": None, "peak": None, "line": NEW_LINE}
        assert seen["routes"][4][1]["line"] == [None, text(NEW_LINE)]

    @pytest.mark.parametrize("name", ["tab", "search", "as of", "undo"])
    def test_pages_show_wkt(self, seen, name):
        status, content = seen["outputs"][name]
        shown = {
            "tab": "POINT (5 6)",
            "search": "POINT (5 6)",
            "as of": "POLYGON ((0 0, 1 0, 1 1, 0 0))",
            "undo": "POINT (7 8)",
        }
        assert status == 200
        assert shown[name] in content
        assert MOVED not in content

    @pytest.mark.parametrize("name", ["list", "entry", "csv", "ndjson"])
    def test_outputs_are_exact(self, seen, name):
        status, content = seen["outputs"][name]
        assert status == 200
        assert text(SPOT) in content
        assert text(SQUARE) in content

    def test_workbook(self, seen):
        assert seen["outputs"]["xlsx"][0] == 200
