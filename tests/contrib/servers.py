"""The servers that shipping needs: a Redis of its own, a NATS server, and receivers of webhooks."""

import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.extras import skip_missing

NATS_URL = os.environ.get("TEST_NATS_URL", "nats://127.0.0.1:4222")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def redis_server(folder):
    """Start a Redis that keeps everything on disk; yield its URL."""
    if shutil.which("redis-server") is None:
        skip_missing("redis-server")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--dir", str(folder), "--appendonly", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"redis://127.0.0.1:{port}/0?stream=history"
    finally:
        process.kill()
        process.wait()


def wait_for(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Nothing answers on port {port}.")


def nats_stream():
    """Return the URL of a stream that does not exist yet. Skip the test without a server."""
    server = urlsplit(NATS_URL)
    try:
        socket.create_connection((server.hostname, server.port or 4222), timeout=1).close()
    except OSError:
        skip_missing("a NATS server with JetStream")
    name = f"H{uuid.uuid4().hex[:12]}"
    return f"{NATS_URL}/{name}.entries?stream={name}"


class Receiver:
    """A server that keeps the requests it gets, and answers with the given statuses in turn."""

    def __init__(self):
        self.requests = []
        self.statuses = []
        self.headers = {}
        self.delay = 0.0

    def answer(self):
        time.sleep(self.delay)
        return self.statuses.pop(0) if self.statuses else 204

    @property
    def ids(self):
        return [headers["webhook-id"] for headers, _body in self.requests]


@contextmanager
def receiver():
    """Yield a `Receiver` and its URL."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.requests.append((dict(self.headers), body))
            self.send_response(kept.answer())
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield kept, f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
