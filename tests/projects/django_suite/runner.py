"""Run labels of Django's test suite in this process, with the package or without it.

`python -m tests.projects.django_suite.runner REPORT with|without LABEL ...`, in the folder of the
tests. The report is JSON: the outcome of each test, and what contradicts the log.
"""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import TextTestResult

from django.apps import apps
from django.core.management import call_command
from django.db.backends.sqlite3.schema import DatabaseSchemaEditor
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.test.runner import DiscoverRunner

WITH, WITHOUT = "with", "without"

outcomes: dict[str, str] = {}
messages: dict[str, str] = {}
"""The error of each test that failed, in one line."""
tracebacks: dict[str, str] = {}
contradictions: dict[str, list[str]] = {}
"""By test; what is wrong with the triggers afterwards is under `TRIGGERS`."""
TRIGGERS = "triggers"
APP = "django_customer_history"


class Outcomes(TextTestResult):
    """Notes the outcome of each test."""

    def _note(self, test: Any, outcome: str, error: Any = None) -> None:
        name = test.id()
        if outcomes.get(name) not in {"failure", "error"}:
            outcomes[name] = outcome
            if error is not None:
                kind, value, _traceback = error
                first, *_others = [*str(value).splitlines(), ""]
                messages[name] = f"{kind.__name__}: {first}"
                tracebacks[name] = "".join(traceback.format_exception(*error))[-5000:]

    def addSuccess(self, test: Any) -> None:  # noqa: N802 - the name of unittest
        super().addSuccess(test)
        self._note(test, "ok")

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._note(test, "failure", err)

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self._note(test, "error", err)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self._note(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        self._note(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        self._note(test, "failure")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failure", err)


class SuiteRunner(DiscoverRunner):
    """Django's runner, with notes of what each test came to."""

    def get_resultclass(self) -> type[TextTestResult]:
        """Return the class that notes outcomes."""
        return Outcomes

    def setup_databases(self, **kwargs: Any) -> Any:
        """Create the databases. What `migrate` wrote before there were triggers is in the log."""
        created = super().setup_databases(**kwargs)
        if apps.is_installed(APP):
            for connection, *_ in created:
                call_command(
                    "history_baseline", database=connection.alias, stdout=StringIO(), verbosity=0
                )
        return created

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Compare the triggers with what they should be, then drop the databases."""
        if apps.is_installed(APP):
            from tests.projects.django_suite.comparing import trigger_problems  # noqa: PLC0415

            for connection, *_ in old_config:
                if found := trigger_problems(connection.alias):
                    contradictions.setdefault(TRIGGERS, []).extend(
                        f"{connection.alias}: {one}" for one in found
                    )
        super().teardown_databases(old_config, **kwargs)


def main(arguments: list[str]) -> int:
    """Run the labels, and write the report."""
    report, mode, *labels = arguments
    sys.path.insert(0, str(Path.cwd()))
    # What `runtests.py` does when it is started as a program.
    with tempfile.TemporaryDirectory(prefix="django_") as temporary:
        tempfile.tempdir = os.environ["TMPDIR"] = temporary
        _run(labels, is_with=mode == WITH)
    seen = {
        "outcomes": outcomes,
        "messages": messages,
        "tracebacks": tracebacks,
        "contradictions": contradictions,
    }
    Path(report).write_text(json.dumps(seen, indent=1, sort_keys=True), encoding="utf-8")
    return 0


def _run(labels: list[str], *, is_with: bool) -> None:
    import runtests  # noqa: PLC0415 - it is in the current folder

    if is_with:
        runtests.ALWAYS_INSTALLED_APPS.append(APP)
        runtests.ALWAYS_MIDDLEWARE.append(f"{APP}.middleware.HistoryMiddleware")
        _compare_after_each_test()
    runtests.django_tests(
        verbosity=1,
        interactive=False,
        failfast=False,
        keepdb=False,
        reverse=False,
        test_labels=labels,
        debug_sql=False,
        parallel=1,
        tags=None,
        exclude_tags=["selenium"],
        test_name_patterns=None,
        start_at=None,
        start_after=None,
        pdb=False,
        buffer=False,
        timing=False,
        shuffle=False,
    )


def _compare_after_each_test() -> None:
    from tests.projects.django_suite.registering import Registering  # noqa: PLC0415

    registering = Registering()
    registering.connect()
    # While it copies a table, the editor of SQLite defines two classes for the same model.
    _wrap(DatabaseSchemaEditor, "_remake_table", registering.off)
    _wrap(SimpleTestCase, "_setup_and_call", registering.for_one_test)
    for case in (TransactionTestCase, TestCase):
        case._fixture_teardown = _compared_before(case._fixture_teardown)


def _wrap(owner: Any, name: str, context: Callable[[], AbstractContextManager[None]]) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with context():
            return original(*args, **kwargs)

    setattr(owner, name, wrapped)


def _compared_before(teardown: Callable[[Any], None]) -> Callable[[Any], None]:
    def _fixture_teardown(test: Any) -> None:
        # `TestCase` calls `TransactionTestCase` where the database has no transactions.
        if not getattr(test, "_is_compared", False):
            test._is_compared = True
            _compare(test)
        teardown(test)

    return _fixture_teardown


def _compare(test: Any) -> None:
    from tests.projects.django_suite.comparing import contradictions as found_in  # noqa: PLC0415

    is_limited = getattr(test, "available_apps", None) is not None
    if is_limited:
        apps.unset_available_apps()
    try:
        if apps.is_installed(APP):
            for alias in test._databases_names(include_mirrors=False):
                try:
                    found = [f"{alias}: {one}" for one in found_in(alias)]
                except Exception as error:  # noqa: BLE001 - one test must not end all the others
                    found = [f"{alias}: cannot be compared: {type(error).__name__}: {error}"]
                if found:
                    contradictions.setdefault(test.id(), []).extend(found)
    finally:
        if is_limited:
            apps.set_available_apps(test.available_apps)


if __name__ == "__main__":
    # The module that Django imports by name must be this one, with the same notes.
    sys.modules["tests.projects.django_suite.runner"] = sys.modules["__main__"]
    sys.exit(main(sys.argv[1:]))
