"""`python -m tests.databases`: the options for pytest and the exit status."""

import shlex
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import databases
from tests.extras import MISSING, skip_missing

ROOT = Path(__file__).parent.parent
REPORT = """\
<testsuites><testsuite>
<testcase classname="tests.test_values" name="a"/>
<testcase classname="tests.test_values" name="b"><skipped message="{reason}"/></testcase>
<testcase classname="tests.example.browser.test_looks" name="c">{browser}</testcase>
</testsuite></testsuites>
"""
NO_CHROMIUM = f'<skipped message="{MISSING}no Chromium"/>'


def reachable(name):
    return databases.Server(name=name, url="sqlite://:memory:", version="1.0")


def unreachable(name, *, is_required=True):
    return databases.Server(
        name=name, url=None, problem="connection refused", is_required=is_required
    )


class Program:
    """`tests.databases` with fake servers and a fake pytest."""

    def __init__(self, monkeypatch, capsys):
        self.commands, self.servers = [], [reachable("SQLite")]
        self.status, self.report = 0, REPORT.format(reason="for another database", browser="")
        self._capsys = capsys
        monkeypatch.setattr(databases, "find_servers", lambda: self.servers)
        monkeypatch.setattr(databases.subprocess, "run", self._pytest)

    def run(self, *arguments):
        """Return the exit status and what was printed."""
        status = databases.main(arguments)
        return status, self._capsys.readouterr().out

    def _pytest(self, command, **options):
        self.commands.append(command)
        Path(command[-1].removeprefix("--junitxml=")).write_text(self.report, encoding="utf-8")
        return SimpleNamespace(returncode=self.status)


@pytest.fixture
def program(monkeypatch, capsys):
    return Program(monkeypatch, capsys)


class TestOptions:
    def test_blanks_in_options_stay(self, program):
        program.run("--only", "SQLite", "-k", "a or b", "-x")
        (command,) = program.commands
        at = command.index("-k")
        assert command[at : at + 3] == ["-k", "a or b", "-x"]

    def test_make_passes_them_on(self):
        if shutil.which("make") is None:
            skip_missing("the program make")
        command = ["make", "--no-print-directory", "-n", "test", 'TEST_OPTIONS=-k "a or b"']
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        words = shlex.split(done.stdout.splitlines()[-1])
        assert words[-4:] == ["-m", "tests.databases", "-k", "a or b"]

    def test_fast_by_default(self, program):
        program.run()
        (command,) = program.commands
        assert "not slow and not packaging" in command

    def test_slow_runs_every_part(self, program):
        program.servers = [reachable("PostgreSQL")]
        program.run("--slow")
        assert len(program.commands) == len(databases.PARTS)
        assert "not slow and not packaging" not in program.commands[0]

    def test_unknown_database(self, program):
        with pytest.raises(SystemExit):
            program.run("--only", "Oracle")

    def test_reports_are_kept(self, program, tmp_path):
        program.run("--reports", str(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == ["sqlite-all-tests.xml"]


class TestExitStatus:
    def test_all_tests_passed(self, program):
        status, printed = program.run("--require-all")
        assert status == 0
        assert "SQLite 1.0, all tests: 2 tests ran, 1 were skipped" in printed

    def test_some_tests_failed(self, program):
        program.status = 1
        status, printed = program.run()
        assert status == 1
        assert "FAILED: SQLite 1.0, all tests: pytest ended with 1" in printed

    def test_nothing_selected(self, program):
        program.status = databases.NOTHING_SELECTED
        status, printed = program.run("-k", "nothing")
        assert status == 1
        assert "FAILED: SQLite 1.0, all tests: no test was selected" in printed

    def test_unreachable_is_reported(self, program):
        program.servers.append(unreachable("MariaDB"))
        status, printed = program.run()
        assert status == 0
        assert "MariaDB: not tested (connection refused)" in printed

    @pytest.mark.parametrize("option", [["--require-all"], ["--only", "MariaDB"]])
    def test_unreachable_but_required(self, option, program):
        program.servers.append(unreachable("MariaDB"))
        status, printed = program.run(*option)
        assert status == 1
        assert "FAILED: MariaDB cannot be reached (connection refused)" in printed

    @pytest.mark.parametrize(("option", "expected"), [("--require-all", 0), ("--only=MySQL", 1)])
    def test_mysql_is_not_required_yet(self, option, expected, program):
        program.servers.append(unreachable("MySQL", is_required=False))
        assert program.run(option)[0] == expected

    def test_no_server_at_all(self, program):
        program.servers = [unreachable("SQLite")]
        assert program.run()[0] == 1

    @pytest.mark.parametrize(("options", "expected"), [([], 0), (["--require-all"], 1)])
    def test_something_is_missing(self, options, expected, program):
        program.report = REPORT.format(reason=f"{MISSING}Redis", browser="")
        status, printed = program.run(*options)
        assert status == expected
        assert "  skipped, missing: Redis" in printed


class TestBrowser:
    def test_browser_is_missing(self, program):
        program.report = REPORT.format(reason="", browser=NO_CHROMIUM)
        status, printed = program.run("--slow")
        assert status == 1
        assert "FAILED: No test ran in a browser: missing: no Chromium" in printed

    def test_browser_is_not_required(self, program):
        program.report = REPORT.format(reason="", browser=NO_CHROMIUM)
        assert program.run()[0] == 0

    def test_browser_only_on_sqlite(self, program):
        program.servers = [reachable("MariaDB")]
        program.report = "<testsuites/>"
        assert program.run("--slow", "--only", "MariaDB")[0] == 0


class TestServers:
    def test_server_without_a_url(self, monkeypatch):
        monkeypatch.delenv("TEST_MYSQL_URL", raising=False)
        monkeypatch.setattr(databases, "SERVERS", databases.SERVERS[-1:])
        (server,) = databases.find_servers()
        assert server.problem == "TEST_MYSQL_URL is not set"
        assert not server.is_required

    def test_password_is_not_printed(self, monkeypatch):
        monkeypatch.setenv("TEST_MARIADB_URL", "mysql://root:secret@127.0.0.1:1/test")
        monkeypatch.setattr(databases, "SERVERS", databases.SERVERS[2:3])
        (server,) = databases.find_servers()
        assert server.problem.startswith("mysql://127.0.0.1:1/test: ")

    @pytest.mark.parametrize(
        ("function", "answer"),
        [("_mysql_version", "11.4.2-MariaDB"), ("_mariadb_version", "8.4.3")],
    )
    def test_url_of_another_product(self, function, answer, monkeypatch):
        monkeypatch.setattr(databases, "_version_over_the_mysql_protocol", lambda url: answer)
        with pytest.raises(databases.UnreachableError, match=answer):
            getattr(databases, function)("mysql://root@127.0.0.1/test")


class TestParts:
    @pytest.mark.parametrize("part", databases.PARTS, ids=lambda part: part.name)
    def test_paths_of_a_part_exist(self, part):
        paths = [one for one in part.arguments if one.startswith("tests/")]
        assert [one for one in paths if not (ROOT / one).exists()] == []
