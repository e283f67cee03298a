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
from tests.servers.ports import free_port

NATS_URL = os.environ.get("TEST_NATS_URL", "nats://127.0.0.1:4222")


class OwnServer:
    """A server of one test, which keeps everything on disk."""

    def __init__(self, program, *arguments):
        if shutil.which(program) is None:
            skip_missing(program)
        self.port = free_port()
        self._command = [program, *(one.format(port=self.port) for one in arguments)]
        self._process = None

    def start(self):
        output = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        wait_for(self.port)

    def kill(self):
        self._process.kill()
        self._process.wait()


@contextmanager
def redis_server(folder):
    """Start a Redis; yield the server and its URL."""
    arguments = ("--port", "{port}", "--dir", str(folder), "--appendonly", "yes")
    server = OwnServer("redis-server", *arguments)
    server.start()
    try:
        yield server, f"redis://127.0.0.1:{server.port}/0?stream=history"
    finally:
        server.kill()


@contextmanager
def nats_server(folder):
    """Start a NATS server with JetStream; yield the server and the URL of a stream."""
    arguments = ("-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", str(folder))
    server = OwnServer("nats-server", *arguments)
    server.start()
    try:
        yield server, f"nats://127.0.0.1:{server.port}/history.entries?stream=HISTORY"
    finally:
        server.kill()


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
