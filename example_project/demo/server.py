"""A server of this project in a thread, on a free port."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from django.core.servers.basehttp import (
    ThreadedWSGIServer,
    WSGIRequestHandler,
    get_internal_wsgi_application,
)


class QuietHandler(WSGIRequestHandler):
    """A handler that does not print each request."""

    def log_message(self, format, *args):  # noqa: A002 - the name in the base class
        """Print nothing. Errors still go to Django's own logger."""


@contextmanager
def running_site() -> Iterator[str]:
    """Serve the project while the block runs, and yield the URL of the site."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(get_internal_wsgi_application())
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
