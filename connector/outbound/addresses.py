"""Which addresses may be connected to, decided on what a name resolves to when the socket opens."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connector.errors import AddressError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: An answer of socket.getaddrinfo: family, type, protocol, canonical name, socket address.
Answer = tuple[Any, Any, int, str, tuple[Any, ...]]
Resolver = Callable[..., Sequence[Answer]]

# The registries of special-purpose addresses (RFC 6890 and its successors), written out because the
# standard library's own list differs between the Python versions we support.
_SPECIAL_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
# Teredo and 6to4 carry an IPv4 address inside; the others are documentation and benchmarks.
# Everything outside 2000::/3 (loopback, link-local, multicast, NAT64, IPv4-mapped) is not public either.
_SPECIAL_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet and can lead nowhere else."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


@dataclass(frozen=True, slots=True)
class AllowList:
    """The private hosts the operator allows: names and networks, each for one port or (None) for all."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowList:
        """From host, host:port, address or CIDR; raises ValueError naming the entry that is none."""
        hosts, networks = set(), []
        for entry in entries:
            host, port = _entry(entry)
            network = _network(host)
            if network is None:
                hosts.add((_plain(host), port))
            else:
                networks.append((network, port))
        return cls(frozenset(hosts), tuple(networks))

    def allows(self, host: str, port: int, address: Address) -> bool:
        named = (_plain(host), port) in self.hosts or (_plain(host), None) in self.hosts
        return named or any(address in network for network, only in self.networks if only in (None, port))


@dataclass(frozen=True, slots=True)
class Guard:
    """Turns a host into the addresses to connect to, or refuses."""

    allowed: AllowList
    resolver: Resolver = socket.getaddrinfo
    allow_http: bool = False

    def answers(self, host: str, port: int, *, encrypted: bool) -> Sequence[Answer]:
        """Every answer of the resolver, all of them checked; raises AddressError, or OSError for DNS.

        One bad answer refuses the host: which of several is used is the attacker's choice, not ours.
        """
        answers = self.resolver(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        for answer in answers:
            self._check(host, port, ipaddress.ip_address(answer[4][0]), encrypted=encrypted)
        return answers

    def _check(self, host: str, port: int, address: Address, *, encrypted: bool) -> None:
        allowed = self.allowed.allows(host, port, address)
        if not allowed and not is_public(address):
            raise AddressError(f"{_shown(host, port)} leads to {address}, which is not a public address.")
        if not (encrypted or allowed or self.allow_http):
            raise AddressError(f"{_shown(host, port)} is public: it takes https, not plain http.")


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _entry(entry: str) -> tuple[str, int | None]:
    entry = entry.strip()
    host, colon, port = entry.rpartition(":")
    # A colon inside an IPv6 address separates nothing, unless the address stands in brackets.
    if colon and (":" not in host or host.endswith("]")) and not entry.endswith("]"):
        if not port.isdecimal():
            raise ValueError(f"{entry!r} is not a host, host:port or network")
        return host, int(port)
    return entry, None


def _network(host: str) -> Network | None:
    try:
        return ipaddress.ip_network(host.strip("[]"))
    except ValueError:
        if "/" in host or not host or any(sign.isspace() for sign in host):
            raise ValueError(f"{host!r} is not a host, host:port or network") from None
        return None
