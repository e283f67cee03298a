"""The demo, run as a person runs it: once to fill it, once more to serve it."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

MANAGE = Path(__file__).parents[2] / "example_project" / "manage.py"


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return os.environ | {
        "DATABASE_URL": f"sqlite:///{folder / 'demo.sqlite3'}",
        "MEDIA_ROOT": str(folder / "media"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


@pytest.fixture(scope="session")
def first_run(environment):
    command = [sys.executable, MANAGE, "demo", "--no-serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def second_run(environment, first_run):
    """Run the demo again, which serves the site until the tests are done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, MANAGE, "demo", "--port", str(port)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            output = "".join(lines_until(server.stdout, "Stop with Ctrl-C.\n"))
            yield SimpleNamespace(site=f"http://127.0.0.1:{port}", output=output)
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def first_page(second_run):
    return re.search(r"Open first: http://[^/]+(\S+)", second_run.output).group(1)


def lines_until(stream, last):
    for line in stream:
        yield line
        if line == last:
            return
