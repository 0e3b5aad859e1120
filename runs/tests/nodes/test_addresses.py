"""Where an http node may go: listed names, at public addresses, as they were looked up once."""

import ipaddress
import threading
from typing import Any

import pytest

from runs.nodes import addresses
from runs.nodes.base import NodeContext, NodeFailure
from runs.nodes.limits import Limit
from runs.tests.nodes.outside import Names, context

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "::", "::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:a00:1::", "2001:db8::1",
    "2002:a00:1::", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1",
    "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def allowed(host: str, port: int = 443, ctx: NodeContext | None = None) -> list[str]:
    limit = Limit(ctx or context({}), 5)
    return [address[0] for _, address in addresses.allowed(host, port, limit)]


def refused(host: str, port: int = 443) -> NodeFailure:
    with pytest.raises(NodeFailure) as raised:
        allowed(host, port)
    assert raised.value.code == "not_allowed"
    assert raised.value.permanent
    return raised.value


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_everybodys(address: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "::1", "::ffff:169.254.169.254", "127.0.0.1", "127.1", "2130706433", "0x7f000001",
        "017700000001", "0177.0.0.1", "0", "localhost",
    ],
)  # fmt: skip
def test_every_spelling_of_a_private_address_is_refused_though_any_host_is_allowed(settings: Any, host: str) -> None:
    settings.HTTP_NODE_ALLOW = ["*:*"]
    assert "not public" in str(refused(host))


def test_nothing_is_allowed_unless_it_is_listed() -> None:
    told = refused("example.org")
    assert "HTTP_NODE_ALLOW" in str(told)
    assert told.details == {"host": "example.org", "port": 443}


@pytest.mark.parametrize(
    ("entry", "host", "port", "fits"),
    [
        ("a.org", "a.org", 443, True),
        ("a.org", "a.org", 80, True),
        ("a.org", "A.ORG.", 443, True),
        ("a.org", "a.org", 8443, False),
        ("a.org", "b.a.org", 443, False),
        ("a.org:8443", "a.org", 8443, True),
        ("a.org:8443", "a.org", 443, False),
        ("a.org:*", "a.org", 22, True),
        ("*.a.org", "b.a.org", 443, True),
        ("*.a.org", "c.b.a.org", 443, True),
        ("*.a.org", "a.org", 443, False),
        ("*.a.org", "evila.org", 443, False),
        ("*.a.org", "b.a.org.evil.org", 443, False),
        ("*", "anything.org", 443, True),
        ("*", "anything.org", 22, False),
        ("[2606:4700::1111]", "2606:4700:0:0:0:0:0:1111", 443, True),
        ("8.8.8.8", "8.8.8.8", 443, True),
    ],
)
def test_the_list(settings: Any, names: Names, entry: str, host: str, port: int, fits: bool) -> None:
    settings.HTTP_NODE_ALLOW = [entry]
    names.answers = {host: [["8.8.8.8"]]}
    if fits:
        assert allowed(host, port) == ["8.8.8.8"]
    else:
        refused(host, port)
        assert not names.asked, "what is not on the list is not even looked up"


def test_one_private_address_among_public_ones_is_enough(settings: Any, names: Names) -> None:
    settings.HTTP_NODE_ALLOW = ["a.org"]
    names.answers = {"a.org": [["8.8.8.8", "10.0.0.1"]]}
    refused("a.org")


def test_private_networks_are_allowed_one_by_one(settings: Any, names: Names) -> None:
    settings.HTTP_NODE_ALLOW = ["a.org"]
    settings.HTTP_NODE_ALLOW_PRIVATE = [ipaddress.ip_network("10.1.2.0/24")]
    names.answers = {"a.org": [["10.1.2.3"], ["::ffff:10.1.2.3"], ["10.1.3.3"]]}
    assert allowed("a.org") == ["10.1.2.3"]
    assert allowed("a.org") == ["::ffff:10.1.2.3"]
    refused("a.org")


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "64:ff9b::169.254.169.254"]
)
def test_nobody_can_allow_the_secrets_of_the_cloud(settings: Any, names: Names, address: str) -> None:
    settings.HTTP_NODE_ALLOW = ["a.org"]
    settings.HTTP_NODE_ALLOW_PRIVATE = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    names.answers = {"a.org": [[address]]}
    refused("a.org")


def test_a_name_without_an_address_is_unreachable(settings: Any) -> None:
    settings.HTTP_NODE_ALLOW = ["*:*"]
    for host, port in (("no-such-name.invalid", 80), ("a..b", 80), ("a" * 70 + ".org", 80)):
        with pytest.raises(NodeFailure) as raised:
            allowed(host, port)
        assert raised.value.code == "unreachable"
        assert not raised.value.permanent


def test_a_look_up_that_takes_too_long_is_left_alone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HTTP_NODE_ALLOW = ["a.org"]
    over, stop = threading.Event(), threading.Event()

    def slow(*args: Any, **more: Any) -> list[Any]:
        stop.set()
        over.wait(20)
        return []

    monkeypatch.setattr(addresses.socket, "getaddrinfo", slow)
    try:
        with pytest.raises(NodeFailure) as raised:
            allowed("a.org", ctx=context({}, stop=stop))
    finally:
        over.set()
    assert raised.value.code == "stopped"
