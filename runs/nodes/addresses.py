"""Where an http node may go: the names that HTTP_NODE_ALLOW lists, at addresses that are everybody's.

A name is looked up once, and the connection goes to what was found then: a second answer (DNS rebinding) is never asked
for.
"""

import ipaddress
import queue
import re
import socket
import threading
from contextlib import suppress
from typing import Any, Final

from django.conf import settings

from runs.nodes.base import NodeFailure
from runs.nodes.limits import Limit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What socket.socket and its connect take.
Endpoint = tuple[socket.AddressFamily, tuple[Any, ...]]

_ANY: Final = ("*", "*:")
_WEB_PORTS: Final = frozenset({80, 443})
_ENTRY: Final = re.compile(r"(.+?)(?::(\d+|\*))?")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_IPV6_IN_USE: Final = ipaddress.ip_network("2000::/3")


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# The registries of special-purpose addresses (RFC 6890), spelt out: what Python calls global differs between patch
# releases. 2001::/23 has Teredo in it, and 2002::/16 is 6to4: both lead to IPv4 addresses that they hide.
_SPECIAL: Final = _networks(
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)  # fmt: skip
# Not even when HTTP_NODE_ALLOW_PRIVATE lists them: nobody's, everybody's, and where clouds tell machines their secrets
# (AWS and most others at the link-local one; then AWS and Google by IPv6, Alibaba, Azure, Oracle).
_NEVER: Final = _networks(
    "0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8", "169.254.0.0/16", "fe80::/10",
    "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
)  # fmt: skip


def allowed(host: str, port: int, limit: Limit) -> list[Endpoint]:
    """The addresses of ``host``, all of which an http node may reach.

    Raises ``not_allowed`` when the list lacks the name, or one of its addresses is not public, ``unreachable`` when
    there are none, ``timeout``.
    """
    _check_name(host, port)
    endpoints = lookup(host, port, limit)
    if not all(_may_be_reached(ipaddress.ip_address(address[0])) for _, address in endpoints):
        message = f"{host} leads to an address that is not public. HTTP_NODE_ALLOW_PRIVATE may allow private networks."
        raise NodeFailure("not_allowed", message, {"host": host}, permanent=True)
    return endpoints


def is_named(host: str, port: int) -> bool:
    """Whether the list names this host, or a domain above it, and does not only let everybody in."""
    return any(_matches(entry, _canonical(host), port) for entry in settings.HTTP_NODE_ALLOW if entry[:2] not in _ANY)


def lookup(host: str, port: int, limit: Limit) -> list[Endpoint]:
    """The addresses of ``host``, whatever they are. Raises ``unreachable`` and ``timeout``."""
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()
    # Nothing interrupts the system's resolver; its thread ends when it gives up, and nobody waits for it.
    threading.Thread(target=lambda: answers.put(_resolved(host, port)), name="node-resolver", daemon=True).start()
    while True:
        with suppress(queue.Empty):
            found = answers.get(timeout=limit.pause())
            break
    if isinstance(found, Exception) or not found:
        raise NodeFailure("unreachable", f"There is no address of {host} to be found.", {"host": host})
    return [(family, address) for family, _, _, _, address in found]


def is_public(address: Address) -> bool:
    """Whether it is an address that anybody on the Internet may have."""
    plain = _plain(address)
    if any(plain in network for network in (*_SPECIAL, *_NEVER)):
        return False
    return plain in _IPV6_IN_USE if plain.version == 6 else plain.is_global


def _may_be_reached(address: Address) -> bool:
    plain = _plain(address)
    if any(plain in network for network in _NEVER):
        return False
    return is_public(plain) or any(plain in network for network in settings.HTTP_NODE_ALLOW_PRIVATE)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped or NAT64), else itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _resolved(host: str, port: int) -> list[Any] | Exception:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, OverflowError) as error:  # among them UnicodeError
        return error


def _check_name(host: str, port: int) -> None:
    name = _canonical(host)
    if any(_matches(entry, name, port) for entry in settings.HTTP_NODE_ALLOW):
        return
    message = f"{host} (port {port}) is not on the list of hosts that http nodes may call: HTTP_NODE_ALLOW."
    raise NodeFailure("not_allowed", message, {"host": host, "port": port}, permanent=True)


def _matches(entry: str, name: str, port: int) -> bool:
    match = _ENTRY.fullmatch(entry)
    assert match, "environment.py lets nothing else in"
    pattern, ports = match[1], match[2]
    if not (port in _WEB_PORTS if ports is None else ports in ("*", str(port))):
        return False
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    return name == _canonical(pattern)


def _canonical(host: str) -> str:
    """One spelling: no brackets, no dot at the end, the short form of IPv6."""
    name = host.strip("[]").rstrip(".").lower()
    with suppress(ValueError):
        return str(ipaddress.ip_address(name))
    return name
