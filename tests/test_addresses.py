"""The IP address of a client is right or None, for any headers."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from django.test import override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from django_customer_history.context.ip_addresses import client_address


def address_of(remote, forwarded=None, *, header="X_FORWARDED_FOR", **headers):
    given = {"REMOTE_ADDR": remote, **headers}
    if forwarded is not None:
        given[f"HTTP_{header}"] = forwarded
    return client_address(given)


class TestHeaders:
    @pytest.mark.parametrize(
        ("forwarded", "address"),
        [
            ("for=198.51.100.1", "198.51.100.1"),
            ("for=198.51.100.1;proto=https;by=203.0.113.43", "198.51.100.1"),
            ('For="[2001:db8::7]:4711"', "2001:db8::7"),
            ('for="198.51.100.1:4711"', "198.51.100.1"),
            ("for=6.6.6.6, for=198.51.100.1", "198.51.100.1"),
            ("for=198.51.100.1, for=10.0.0.2;proto=http", "198.51.100.1"),
            ('for="6.6.6.6, for=7.7.7.7", for=198.51.100.1', "198.51.100.1"),
            ("for=unknown", None),
            ("for=_hidden", None),
            ("for=198.51.100.1, for=_hidden", None),
            ("proto=https", None),
            ('for="198.51.100.1', "198.51.100.1"),
            ('for=6.6.6.6;x=", for=198.51.100.1', "198.51.100.1"),  # a quote that is left open
            ('for=6.6.6.6;x="\\", for="[2001:db8::7]"', "2001:db8::7"),
            ('for=198.51.100.1;by="a, b \\" c"', "198.51.100.1"),
        ],
    )
    def test_forwarded_header(self, settings, forwarded, address):
        settings.CUSTOMER_HISTORY = {"TRUSTED_PROXIES": ["10.0.0.0/8"], "PROXY_HEADER": "Forwarded"}
        assert address_of("10.0.0.1", forwarded, header="FORWARDED") == address

    def test_other_headers_are_ignored(self, settings):
        """A proxy passes on headers that it does not know, so a client may have set them."""
        settings.CUSTOMER_HISTORY = {"TRUSTED_PROXIES": ["10.0.0.0/8"]}
        assert (
            address_of("10.0.0.1", "198.51.100.1", HTTP_FORWARDED="for=6.6.6.6") == "198.51.100.1"
        )
        settings.CUSTOMER_HISTORY = {"TRUSTED_PROXIES": 1, "PROXY_HEADER": "X-Real-IP"}
        assert address_of("10.0.0.1", "6.6.6.6", HTTP_X_REAL_IP="198.51.100.1") == "198.51.100.1"


class TestTrustedProxies:
    @pytest.mark.parametrize(
        ("remote", "forwarded", "address"),
        [
            ("203.0.113.9", "", "203.0.113.9"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a trusted proxy
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # spoofed in front
            ("10.0.0.1", "10.0.0.9, 198.51.100.1", "198.51.100.1"),  # spoofed as a proxy
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
            ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
            ("10.0.0.1", "198.51.100.1, garbage", None),
            ("10.0.0.1", "198.51.100.1,", None),
            ("10.0.0.1", "garbage, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1:99999", None),
            ("10.0.0.1", "'; DROP TABLE x; --", None),
            ("10.0.0.1", "", "10.0.0.1"),
            ("::1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("172.16.0.1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:203.0.113.9", "", "203.0.113.9"),
            ("10.0.0.1", '"6.6.6.6, 198.51.100.1', "198.51.100.1"),  # a quote that is left open
            ("", "198.51.100.1", None),
            (None, "198.51.100.1", None),
            ("unix:", "", None),
        ],
    )
    def test_networks_of_proxies(self, settings, remote, forwarded, address):
        settings.CUSTOMER_HISTORY = {
            "TRUSTED_PROXIES": ["10.0.0.0/8", "::1", "::ffff:172.16.0.0/108"]
        }
        assert address_of(remote, forwarded) == address

    @pytest.mark.parametrize(
        ("count", "remote", "forwarded", "address"),
        [
            (0, "203.0.113.9", "198.51.100.1", "203.0.113.9"),
            (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
            (1, "10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # spoofed in front
            (1, "", "198.51.100.1", "198.51.100.1"),  # through a Unix socket
            (1, "10.0.0.1", None, None),  # bypassed the proxy
            (2, "10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
            (2, "10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            (2, "10.0.0.1", "198.51.100.1", None),  # bypassed the outer proxy
            (1, "10.0.0.1", "garbage", None),
            (1, "10.0.0.1", "198.51.100.1, ", None),
            (1, "10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ],
    )
    def test_number_of_proxies(self, settings, count, remote, forwarded, address):
        settings.CUSTOMER_HISTORY = {"TRUSTED_PROXIES": count}
        assert address_of(remote, forwarded) == address

    def test_no_proxy_is_trusted(self):
        assert address_of("127.0.0.1", "198.51.100.1", HTTP_FORWARDED="for=6.6.6.6") == "127.0.0.1"


PROXY_NETWORK = IPv4Network("10.0.0.0/8")
CLIENTS = st.one_of(
    st.integers(2**24, 2**32 - 1).map(IPv4Address).filter(lambda one: one not in PROXY_NETWORK),
    st.integers(2**125, 2**126 - 1).map(IPv6Address).filter(lambda one: one.ipv4_mapped is None),
)
PROXIES = st.lists(st.integers(10 * 2**24, 11 * 2**24 - 1).map(IPv4Address), max_size=3)
SPOOFED = st.text(st.sampled_from(list('6.:,;="\\[] for%x')) | st.characters(codec="latin-1"))


def in_x_forwarded_for(address, port):
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def in_forwarded(address, port):
    if address.version == 4 and port is None:
        return f"for={address};proto=https"
    text = f"[{address}]" if address.version == 6 else str(address)
    return f'for="{text}"' if port is None else f'proto=http;for="{text}:{port}"'


FORMATS = {"X-Forwarded-For": in_x_forwarded_for, "Forwarded": in_forwarded}


class TestSpoofedHeaders:
    """The client's address is the one that our outermost proxy saw."""

    @pytest.mark.parametrize("header", FORMATS)
    @given(
        spoofed=st.none() | SPOOFED,
        client=CLIENTS,
        port=st.none() | st.integers(0, 65535),
        proxies=PROXIES,
    )
    @example(spoofed='for=6.6.6.6;x="', client=IPv4Address("198.51.100.1"), port=None, proxies=[])
    def test_behind_our_proxies(self, header, spoofed, client, port, proxies):
        written = [FORMATS[header](one, port) for one in (client, *proxies)]
        value = ", ".join([*([] if spoofed is None else [spoofed]), *written])
        name = header.upper().replace("-", "_")
        for trusted in (["10.0.0.0/8"], len(written)):
            with override_settings(
                CUSTOMER_HISTORY={"TRUSTED_PROXIES": trusted, "PROXY_HEADER": header}
            ):
                assert address_of("10.0.0.1", value, header=name) == str(client)

    @pytest.mark.parametrize("header", FORMATS)
    @given(spoofed=SPOOFED, client=CLIENTS)
    def test_past_our_proxies(self, header, spoofed, client):
        name = header.upper().replace("-", "_")
        for trusted in (["10.0.0.0/8"], 0):
            with override_settings(
                CUSTOMER_HISTORY={"TRUSTED_PROXIES": trusted, "PROXY_HEADER": header}
            ):
                assert address_of(str(client), spoofed, header=name) == str(client)

    @given(garbage=st.text())
    def test_invalid_address_is_none(self, garbage):
        for trusted in (["10.0.0.0/8"], 0, 1, 3):
            with override_settings(CUSTOMER_HISTORY={"TRUSTED_PROXIES": trusted}):
                for found in (address_of(garbage, garbage), address_of("10.0.0.1", garbage)):
                    assert found is None or str(ip_address(found)) == found
