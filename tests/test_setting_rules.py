"""Each rule for the value of a setting says how to write a value that is not valid."""

from math import inf, nan

import pytest

from django_customer_history.conf import rules

PROXIES = 'Give a list of networks, such as ["10.0.0.0/8", "::1"], or the number of proxies.'
HEADER = 'Give the name of a header, such as "X-Forwarded-For" or "Forwarded".'
NAME = "Give a name, or None to switch it off."
FUNCTION = "Give a function that takes a request, or the dotted path to one."
SECONDS = "Give a number of seconds, or 0 for no limit."
URL = 'Give a URL, such as "https://tsa.example.com/", or None.'
WITNESSES = (
    'Give a dict from URLs to public keys: {"https://witness.example.com":'
    ' "witness.example.com+1a2b3c4d+AbCd"}.'
)
KEY = "w.example.com+1a2b3c4d+AbCd"


@pytest.mark.parametrize(
    ("rule", "valid", "invalid", "hint"),
    [
        (rules.proxies_rule, [0, 2, [], ["10.0.0.0/8", "::1"]], [True, -1, "::1", None], PROXIES),
        (rules.header_rule, ["Forwarded", "X-Forwarded-For"], ["", "X Y", None, 5], HEADER),
        (rules.name_rule, [None, "x"], ["", 5, False], NAME),
        (
            rules.function_of("request"),
            [None, len, "django_customer_history.keys.uuid_at"],
            [5, "", "nothing"],
            FUNCTION,
        ),
        (rules.number_from(2), [2, 10], [1, 2.0, True, None], "Give a whole number of at least 2."),
        (rules.seconds_rule, [0, 0.5, 60], [-1, inf, nan, True, None, "5"], SECONDS),
        (rules.boolean_rule, [True, False], [1, "true", None], "Give True or False."),
        (rules.url_rule, [None, "https://a.example", "http://a"], ["", "ftp://a", 5], URL),
        (
            rules.witnesses_rule,
            [{}, {"https://w.example.com": KEY}],
            [[], {"w.example.com": KEY}, {"https://w.example.com": "key"}, {5: KEY}],
            WITNESSES,
        ),
    ],
)
def test_rule(rule, valid, invalid, hint):
    assert [rule(value) for value in valid] == [None] * len(valid)
    for value in invalid:
        assert rule(value).startswith(hint)


def test_reasons_are_named():
    assert rules.proxies_rule(["10.0.0.0/8", "router"]) == (
        f"{PROXIES} 'router' does not appear to be an IPv4 or IPv6 network."
    )
    assert rules.function_of("request")("nothing.here") == (
        f"{FUNCTION} The import failed: No module named 'nothing'"
    )
