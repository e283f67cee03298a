"""Management commands, and other modules, in processes of their own."""

import os
import subprocess
import sys


def start(database, *command, **options):
    """Start `python -m COMMAND` on the database with this URL, with the settings of the tests.

    The process writes its output and its errors into pipes, unless `options` say otherwise.
    """
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database,
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "-m", *command], env=variables, **pipes)
