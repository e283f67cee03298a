"""`python -m tests.databases`: the options for pytest and the exit status."""

import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import databases
from tests.extras import MISSING, skip_missing
from tests.servers import __main__ as servers
from tests.servers import finding

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
    return finding.Server(name=name, url="sqlite://:memory:", version="1.0")


def unreachable(name):
    return finding.Server(name=name, url="", problem="connection refused")


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
        assert "not slow and not packaging and not cluster" in command

    def test_servers_run_the_contract(self, program):
        program.servers = [reachable("SQLite"), reachable("PostgreSQL"), reachable("MySQL")]
        program.run("-q")
        folders = [[word for word in one if word.startswith("tests/")] for one in program.commands]
        contract = ["tests/contract", "tests/backends"]
        assert folders == [[], contract, contract]

    def test_options_choose_from_all(self, program):
        program.servers = [reachable("PostgreSQL")]
        program.run("-k", "rest")
        (command,) = program.commands
        assert "tests/contract" not in command

    def test_slow_runs_every_part(self, program):
        program.servers = [reachable("PostgreSQL")]
        program.run("--slow")
        wanted = [
            part
            for part in databases.PARTS
            if "PostgreSQL" in part.databases and not part.only_in_gate
        ]
        assert len(program.commands) == len(wanted) == 4
        assert "not slow and not packaging" not in program.commands[0]

    def test_parts_of_the_gate(self, program):
        program.servers = [
            reachable(name)
            for name in ("SQLite", "PostgreSQL", "MariaDB", "newest PostgreSQL", "Galera")
        ]
        program.run("--gate")
        ran = [
            (
                "not slow and not packaging and not cluster" in one,
                [
                    word
                    for word in one
                    if word in ("tests/contract", "tests/contract/test_values.py")
                ],
            )
            for one in program.commands
        ]
        assert ran == [
            (False, []),
            (True, ["tests/contract"]),
            (False, []),
            (True, []),
            (True, ["tests/contract"]),
            (True, ["tests/contract/test_values.py"]),
        ]

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

    @pytest.mark.parametrize(("options", "expected"), [([], 0), (["--slow"], 1)])
    def test_only_slow_parts_need_clusters(self, options, expected, program):
        program.servers.append(unreachable("Galera"))
        program.report = program.report.replace("{browser}", "")
        status, printed = program.run("--require-all", *options)
        assert status == expected
        assert ("Galera: not tested" in printed) is bool(options)

    def test_versions_and_seconds(self, program):
        _, printed = program.run()
        assert "SQLite: version 1.0" in printed
        assert "2 tests ran, 1 were skipped, 0 s" in printed

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
    def test_cluster_without_a_node(self, monkeypatch):
        monkeypatch.setenv("TEST_GALERA_URLS", "mysql://root:secret@127.0.0.1:1/test")
        monkeypatch.setattr(finding, "SERVERS", finding.SERVERS[-2:-1])
        (server,) = finding.find_servers()
        assert server.name == "Galera"
        assert server.problem.startswith("mysql://127.0.0.1:1/test: ")

    def test_older_than_the_newest(self, monkeypatch):
        monkeypatch.setattr(finding, "_version_over_the_mysql_protocol", lambda url: "11.4-MariaDB")
        monkeypatch.setattr(finding, "SERVERS", finding.SERVERS[5:6])
        (server,) = finding.find_servers()
        assert server.name == "newest MariaDB"
        assert server.problem.endswith("this is version 11.4-MariaDB, and the tests need 11.8")

    def test_every_database_has_a_part(self):
        tested = {name for part in databases.PARTS for name in part.databases}
        assert tested == set(finding.NAMES)

    def test_password_is_not_printed(self, monkeypatch):
        monkeypatch.setenv("TEST_MARIADB_URL", "mysql://root:secret@127.0.0.1:1/test")
        monkeypatch.setattr(finding, "SERVERS", finding.SERVERS[2:3])
        (server,) = finding.find_servers()
        assert server.problem.startswith("mysql://127.0.0.1:1/test: ")

    @pytest.mark.parametrize(
        ("function", "answer"),
        [("_mysql_version", "11.4.2-MariaDB"), ("_mariadb_version", "8.4.3")],
    )
    def test_url_of_another_product(self, function, answer, monkeypatch):
        monkeypatch.setattr(finding, "_version_over_the_mysql_protocol", lambda url: answer)
        with pytest.raises(finding.UnreachableError, match=answer):
            getattr(finding, function)("mysql://root@127.0.0.1/test")


class TestServersProgram:
    @pytest.mark.parametrize(
        "arguments", [[], ["run", "mysql"], ["start", "oracle"], ["start", "mysql", "--", "true"]]
    )
    def test_wrong_arguments(self, arguments, capsys):
        assert servers.main(arguments) == 2
        assert "python -m tests.servers" in capsys.readouterr().err

    def test_run_ends_what_it_started(self, monkeypatch, capfd):
        ended = []

        def commands(name, *, is_running):
            return servers.Commands(
                prepare=lambda: None,
                start=lambda: f"TEST_{name}=url of {name}",
                stop=lambda: ended.append(name),
                is_running=lambda: is_running,
            )

        known = {"a": commands("a", is_running=False), "b": commands("b", is_running=True)}
        monkeypatch.setattr(servers, "SERVERS", known)
        handler = signal.getsignal(signal.SIGTERM)
        script = "import os, sys; print(os.environ['TEST_a'], os.environ['TEST_b']); sys.exit(3)"
        try:
            status = servers.run(["a", "b"], [sys.executable, "-c", script])
        finally:
            signal.signal(signal.SIGTERM, handler)
        assert status == 3
        assert capfd.readouterr().out == "url of a url of b\n"
        assert ended == ["a"]


class TestParts:
    @pytest.mark.parametrize("part", databases.PARTS, ids=lambda part: part.name)
    def test_paths_of_a_part_exist(self, part):
        paths = [one for one in part.arguments if one.startswith("tests/")]
        assert [one for one in paths if not (ROOT / one).exists()] == []
