"""Whose word counts for who asks: our own proxies' alone, and only what they say themselves."""

from ipaddress import ip_network
from typing import Any

import pytest

from app.core.http.proxies import unwrap

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("::1/128"))
ID = b"of-the-proxy-1"


def asked(client: Any, *headers: tuple[str, str | bytes]) -> tuple[Any, str, str | None]:
    said = [
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers
    ]
    scope = {"type": "http", "client": client, "scheme": "http", "headers": said}
    given = unwrap(scope, TRUSTED)
    return scope["client"] and scope["client"][0], scope["scheme"], given


@pytest.mark.parametrize("client", [("192.0.2.7", 1), ("9.255.255.255", 1), ("a socket", 1), None])
def test_what_a_stranger_says_of_itself_counts_for_nothing(client) -> None:
    headers = (
        ("x-forwarded-for", "10.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", ID),
    )
    assert asked(client, *headers) == (client and client[0], "http", None)


@pytest.mark.parametrize("proxy", ["10.0.0.7", "::1", "::ffff:10.0.0.7"])
def test_a_proxy_of_ours_says_for_whom_it_asks(proxy) -> None:
    headers = (
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", ID),
    )
    assert asked((proxy, 1), *headers) == ("203.0.113.9", "https", ID.decode())


@pytest.mark.parametrize(
    ("said", "asker"),
    [
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # the first is what the caller wrote
        (["198.51.100.1", "203.0.113.9, 10.0.0.8"], "203.0.113.9"),
        (["203.0.113.9:5123, 10.0.0.8:80"], "203.0.113.9"),
        (["[2001:DB8:0::9]:5123"], "2001:db8::9"),
        (["2001:db8::9"], "2001:db8::9"),
        (["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        (["120119200001011234"], "10.0.0.7"),  # no address: the proxy itself is all that is known
        (["张三".encode(), "10.0.0.8"], "10.0.0.8"),
        (["198.51.100.1, unknown"], "10.0.0.7"),
        ([""], "10.0.0.7"),
        ([], "10.0.0.7"),
    ],
)
def test_who_asks_is_the_last_that_is_none_of_ours(said, asker) -> None:
    assert asked(("10.0.0.7", 1), *(("x-forwarded-for", each) for each in said))[0] == asker


def test_an_id_that_came_twice_and_a_scheme_there_is_not_count_for_nothing() -> None:
    twice = (("x-request-id", ID), ("x-request-id", ID))
    for scheme, heard in (("javascript", "http"), ("wss", "http"), (" https", "https")):
        assert asked(("::1", 1), *twice, ("x-forwarded-proto", scheme)) == ("::1", heard, None)
