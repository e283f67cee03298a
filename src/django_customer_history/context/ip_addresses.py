"""The address of a client: who is believed about it, and how much of it is kept."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from python_ipware.modern.parsers import (
    forwarded_for,
    parse_ip,
    unwrap_ipv4_network,
)

from django_customer_history import conf

Address = IPv4Address | IPv6Address

_LONGEST_REMEMBERED = 100
"""Characters of a text that may be an address."""

_KEPT_BITS: Mapping[int, int] = {4: 24, 6: 48}
"""What a truncated address of each version keeps: the network of a site, not of a person."""


def client_address(headers: Mapping[str, Any]) -> str | None:
    """Return as much of the address of a request's client as the log keeps; None: it is not known.

    `headers` is the request's `META`. The address is `REMOTE_ADDR`, unless `TRUSTED_PROXIES`
    says who stands in front of the project. Of what a header says, only the entries that our
    own proxies wrote are believed: everything before them anybody could write.
    """
    address = _client_address(headers)
    return None if address is None else stored_address(address)


def parse_address(text: str | None) -> Address | None:
    """Return a text as an address, without port and zone; None where it is none."""
    # Addresses come again and again. What is longer than any address would fill the memory.
    return _parsed(text) if len(text or "") > _LONGEST_REMEMBERED else _parsed_remembered(text)


def _parsed(text: str | None) -> Address | None:
    address: Address | None = parse_ip(text)
    if isinstance(address, IPv6Address) and address.scope_id:
        return IPv6Address(int(address))
    return address


_parsed_remembered = lru_cache(maxsize=1024)(_parsed)


def stored_address(address: Address) -> str | None:
    """Return as much of an address as `IP_ADDRESS_STORAGE` lets the log keep: all, a network, nothing."""
    return _kept(address, conf.ip_address_storage())


@lru_cache(maxsize=1024)
def _kept(address: Address, share: str) -> str | None:
    return _KEEPERS[share](address)


def _client_address(headers: Mapping[str, Any]) -> Address | None:
    proxies = conf.trusted_proxies()
    remote = headers.get("REMOTE_ADDR")
    if isinstance(proxies, int):
        return _behind_count(proxies, remote, headers)
    return _behind_networks(proxies, remote, headers)


def _behind_networks(
    networks: Sequence[conf.Network], remote: str | None, headers: Mapping[str, Any]
) -> Address | None:
    trusted = [unwrap_ipv4_network(network) for network in networks]

    def is_trusted(one: Address) -> bool:
        return any(one in network for network in trusted)

    address = parse_address(remote)
    if address is None or not is_trusted(address):
        return address
    for token in reversed(_forwarded(headers)):
        address = parse_address(token)
        if address is None or not is_trusted(address):
            break
    return address


def _behind_count(count: int, remote: str | None, headers: Mapping[str, Any]) -> Address | None:
    # The outermost of our proxies wrote the client's address; each further one added the one
    # before it. Who came past a proxy of ours left fewer entries, and is not known.
    hops = [*_forwarded(headers), remote]
    return parse_address(hops[-count - 1]) if len(hops) > count else None


def _forwarded(headers: Mapping[str, Any]) -> list[str]:
    name = conf.proxy_header().upper().replace("-", "_")
    value = headers.get(f"HTTP_{name}", "")
    if not value:
        return []
    if name != "FORWARDED":
        return str(value).split(",")
    return [forwarded_for(element) for element in _elements(str(value))]


def _elements(value: str) -> list[str]:
    """Split at the commas outside of quotes, read from the right.

    Our proxies write on the right. A quote that a stranger leaves open further left would,
    read from there, swallow what they wrote.
    """
    quotes = _quotes(value)
    elements, end, is_quoted = [], len(value), False
    for place in range(len(value) - 1, -1, -1):
        if place in quotes:
            is_quoted = not is_quoted
        elif value[place] == "," and not is_quoted:
            elements.append(value[place + 1 : end])
            end = place
    return [value[:end], *reversed(elements)]


def _quotes(value: str) -> set[int]:
    """Return the places of the quotes that no backslash escapes."""
    found, is_escaped = set(), False
    for place, character in enumerate(value):
        if character == '"' and not is_escaped:
            found.add(place)
        is_escaped = character == "\\" and not is_escaped
    return found


def _truncated(address: Address) -> str:
    network = ip_network((int(address), _KEPT_BITS[address.version]), strict=False)
    return str(network.network_address)


_KEEPERS: Mapping[str, Callable[[Address], str | None]] = {
    "full": str,
    "truncated": _truncated,
    "none": lambda _address: None,
}
