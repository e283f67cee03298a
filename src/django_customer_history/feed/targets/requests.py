"""Requests of webhooks: no redirect, no private network, limits of time and size.

The name of the server is resolved once, and the connection goes to the address that was checked.
So a name that resolves differently the second time leads nowhere else.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult

from django_customer_history.exceptions import TargetError

TIME_LIMIT = 15.0
"""In seconds: for a whole request."""
_LONGEST_ANSWER = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status of an answer, how many seconds it asks to wait, and the start of its body."""

    status: int
    wait: float | None = None
    content: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken the request."""
        return self.status in _SUCCESS

    def check(self) -> None:
        """Raise `TargetError` unless the receiver has taken the request."""
        if not self.is_success:
            raise TargetError(f"the answer was {self.status}")


def checked_address(url: SplitResult, *, allows_private: bool) -> tuple[str, int]:
    """Return the address and the port of a server.

    Raises `TargetError` for an address that is not public, and for HTTP without TLS, unless
    `allows_private`; `OSError` if the name cannot be resolved.
    """
    if url.hostname is None:
        raise TargetError("The webhook has no server. Write it as https://example.com/path.")
    if url.scheme != "https" and not allows_private:
        raise TargetError("A webhook needs https:. Inside your network, add --allow-private.")
    port = url.port or _PORTS[url.scheme]
    found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    refused = [one for one in addresses if not is_public(one)]
    if refused and not allows_private:
        raise TargetError(
            f"{url.hostname} is {refused[0]}, which is not a public address. If it is yours, add"
            " --allow-private."
        )
    return addresses[0], port


def is_public(address: str) -> bool:
    """Return whether an address is one of the public Internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(parsed, "ipv4_mapped", None) or parsed
    return bool(inner.is_global) and not inner.is_multicast


def post(
    url: SplitResult,
    content: bytes,
    headers: Mapping[str, str],
    *,
    allows_private: bool,
    time_limit: float = TIME_LIMIT,
) -> Answer:
    """Send a request and return its answer, whatever its status is. Redirects are not followed.

    Raises what `checked_address` does, `OSError` and `http.client.HTTPException`. A server that
    sends its answer byte by byte is a `TimeoutError` too.
    """
    address, port = checked_address(url, allows_private=allows_private)
    deadline = time.monotonic() + time_limit
    server = socket.create_connection((address, port), timeout=time_limit)
    layers = [server]
    end = threading.Timer(time_limit, _shut, [layers])
    end.start()
    try:
        if url.scheme == "https":
            server = ssl.create_default_context().wrap_socket(
                server, server_hostname=url.hostname, do_handshake_on_connect=False
            )
            layers.append(server)
            server.do_handshake()
        connection = http.client.HTTPConnection(str(url.hostname), port)
        connection.sock = server
        path = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
        host = url.netloc.rpartition("@")[2]
        connection.request("POST", path, content, {**headers, "Host": host})
        answer = connection.getresponse()
        body = answer.read(_LONGEST_ANSWER)
        wait = _seconds(answer.getheader("Retry-After"))
        return Answer(status=answer.status, wait=wait, content=body)
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"no answer within {time_limit:g} seconds") from error
        raise
    finally:
        end.cancel()
        server.close()


def _shut(layers: list[socket.socket]) -> None:
    """End a connection for which another thread waits; the last layer has it."""
    try:
        layers[-1].shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It is closed already.


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
