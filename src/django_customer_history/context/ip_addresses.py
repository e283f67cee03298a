"""The IP address of a client: which proxies are trusted, and how much of it is stored."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django_customer_history import conf

Address = IPv4Address | IPv6Address

_LONGEST_CACHED = 100
"""Characters of a text that may be an address."""

_EMBEDDING = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv6 networks whose last 32 bits are an IPv4 address: mapped (RFC 4291) and NAT64 (RFC 6052)."""

_WITH_PORT = re.compile(
    r"""
    \[ (?P<in_brackets> [^\]]* ) \] (?: : (?P<port_after_bracket> [0-9]+ ) )?
    | (?P<with_port> [^:]* ) : (?P<port> [0-9]+ )
    """,
    re.VERBOSE,
)
"""`[2001:db8::7]`, `[2001:db8::7]:4711` or `203.0.113.9:4711`; other texts have no port."""

_PORT = re.compile(r"0*[0-9]{1,5}")
_HIGHEST_PORT = 65_535

_STORED_BITS: Mapping[int, int] = {4: 24, 6: 48}
"""The length of the prefix of a truncated address, by IP version: a site, not a person."""


def client_address(headers: Mapping[str, Any]) -> str | None:
    """Return as much of the address of a request's client as the log stores; None if unknown.

    `headers` is the request's `META`. The address is `REMOTE_ADDR`, unless the setting
    `TRUSTED_PROXIES` names the proxies in front of the project. Only the header entries that
    these proxies wrote are trusted: a client can write everything before them.
    """
    address = _client_address(headers)
    return None if address is None else stored_address(address)


def parse_address(text: str | None) -> Address | None:
    """Return a text as an address, without port and zone; None if it is not an address.

    An IPv4 address inside of an IPv6 address (mapped or NAT64) is returned as IPv4.
    """
    # The same addresses come again and again. A text longer than any address would fill memory.
    return _parsed(text) if len(text or "") > _LONGEST_CACHED else _parsed_cached(text)


def _parsed(text: str | None) -> Address | None:
    bare = _without_port((text or "").strip().strip('"').strip("'"))
    try:
        address = ip_address(bare.strip())
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(address.packed[-4:])
    return IPv6Address(address.packed)  # Without the zone, which only the client's host knows.


_parsed_cached = lru_cache(maxsize=1024)(_parsed)


def _without_port(text: str) -> str:
    """Return a text without brackets and port; an empty one if the port is not a port."""
    found = _WITH_PORT.fullmatch(text)
    if found is None:
        return text
    port = found["port_after_bracket"] or found["port"] or "0"
    if not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT:
        return ""
    return str(found["in_brackets"] if found["in_brackets"] is not None else found["with_port"])


def stored_address(address: Address) -> str | None:
    """Return as much of an address as the setting `IP_ADDRESS_STORAGE` lets the log store.

    That is the whole address, its network, or None.
    """
    return _stored(address, conf.ip_address_storage())


@lru_cache(maxsize=1024)
def _stored(address: Address, storage: str) -> str | None:
    return _STORAGES[storage](address)


def _client_address(headers: Mapping[str, Any]) -> Address | None:
    proxies = conf.trusted_proxies()
    remote = headers.get("REMOTE_ADDR")
    if isinstance(proxies, int):
        return _behind_count(proxies, remote, headers)
    return _behind_networks(proxies, remote, headers)


def _behind_networks(
    networks: Sequence[conf.Network], remote: str | None, headers: Mapping[str, Any]
) -> Address | None:
    trusted = [_embedded_network(network) for network in networks]

    def is_trusted(address: Address) -> bool:
        return any(address in network for network in trusted)

    address = parse_address(remote)
    if address is None or not is_trusted(address):
        return address
    for text in reversed(_forwarded(headers)):
        address = parse_address(text)
        if address is None or not is_trusted(address):
            break
    return address


def _embedded_network(network: conf.Network) -> conf.Network:
    """Return the IPv4 network inside of an IPv6 network, as `parse_address` does for addresses."""
    if isinstance(network, IPv6Network) and any(map(network.subnet_of, _EMBEDDING)):
        return IPv4Network((network.network_address.packed[-4:], network.prefixlen - 96))
    return network


def _behind_count(count: int, remote: str | None, headers: Mapping[str, Any]) -> Address | None:
    # The outermost proxy wrote the client's address; each further proxy added the address of the
    # one before it. A request that bypassed a proxy has fewer entries: its client is unknown.
    hops = [*_forwarded(headers), remote]
    return parse_address(hops[-count - 1]) if len(hops) > count else None


def _forwarded(headers: Mapping[str, Any]) -> list[str]:
    """Return the entries of the header that the proxies write, one for each hop."""
    name = conf.proxy_header().upper().replace("-", "_")
    value = str(headers.get(f"HTTP_{name}", ""))
    if not value:
        return []
    if name != "FORWARDED":
        return value.split(",")
    return [_forwarded_for(element) for element in _split_outside_quotes(value, ",")]


def _forwarded_for(element: str) -> str:
    """Return the parameter `for` of an element of the header `Forwarded` (RFC 7239, section 4)."""
    for parameter in _split_outside_quotes(element, ";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "for":
            return value.strip()
    return ""


def _split_outside_quotes(value: str, separator: str) -> list[str]:
    """Split at the separators outside of quotes, read from the right.

    The trusted proxies write on the right. Read from the left, a quote that a client leaves open
    would swallow what they wrote.
    """
    quotes = _quotes(value)
    parts, end, is_quoted = [], len(value), False
    for position in range(len(value) - 1, -1, -1):
        if position in quotes:
            is_quoted = not is_quoted
        elif value[position] == separator and not is_quoted:
            parts.append(value[position + 1 : end])
            end = position
    return [value[:end], *reversed(parts)]


def _quotes(value: str) -> set[int]:
    """Return the positions of the quotes that no backslash escapes."""
    found, is_escaped = set(), False
    for position, character in enumerate(value):
        if character == '"' and not is_escaped:
            found.add(position)
        is_escaped = character == "\\" and not is_escaped
    return found


def _truncated(address: Address) -> str:
    network = ip_network((int(address), _STORED_BITS[address.version]), strict=False)
    return str(network.network_address)


_STORAGES: Mapping[str, Callable[[Address], str | None]] = {
    "full": str,
    "truncated": _truncated,
    "none": lambda _address: None,
}
