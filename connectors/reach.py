"""Which network addresses a manifest may reach: by rules of the operator, checked on what a name resolves to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from connectors.lane import Forbidden, Unreachable

Network = IPv4Network | IPv6Network

METADATA: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",
            "fe80::/10",
            "fd00:ec2::254/128",
            "fd20:ce::254/128",
            "fd00:c1::a9fe:a9fe/128",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.192/32",
        ),
    )
)
"""Link-local addresses (RFC 3927, RFC 4291), among them those at which clouds tell a machine its secrets, and the
others that clouds use for that (over IPv6: AWS, Google Cloud, Oracle Cloud; Alibaba Cloud, Azure, Oracle Cloud).
"""

_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""IPv4 addresses as translators write them (RFC 6052, RFC 8215): in the last 32 bits."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The networks that may be reached, and those that may be reached without TLS (which then need not be among the
    first).

    Without `networks`, any address may be reached by TLS, save this machine's own. Link-local and metadata addresses
    may never be.
    """

    networks: tuple[Network, ...] = ()
    plain: tuple[Network, ...] = ()

    def allows(self, address: str, *, encrypted: bool) -> bool:
        """Whether the address, in digits, may be reached so."""
        ip = _meant(ip_address(address))
        if ip.is_unspecified or ip.is_multicast or _within(ip, METADATA):
            return False
        if _within(ip, self.plain):
            return True
        return encrypted and (_within(ip, self.networks) if self.networks else not ip.is_loopback)


def literal(host: str) -> str | None:
    """The host where it is an address in digits; None where it is a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


async def reachable(host: str, port: int, reach: Reach, *, encrypted: bool) -> list[str]:
    """The addresses of the host that may be reached; at least one.

    Raises `Unreachable` for a name that is not known, and `Forbidden`.
    """
    address = literal(host)
    if address:
        return _allowed([address], reach, encrypted=encrypted)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unknown(error) from None
    return _allowed([sockaddr[0] for *_, sockaddr in found], reach, encrypted=encrypted)


def reachable_blocking(host: str, port: int, reach: Reach, *, encrypted: bool) -> list[str]:
    """As `reachable`, for threads that may wait."""
    address = literal(host)
    if address:
        return _allowed([address], reach, encrypted=encrypted)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unknown(error) from None
    return _allowed([sockaddr[0] for *_, sockaddr in found], reach, encrypted=encrypted)


def _allowed(addresses: Iterable[str | int], reach: Reach, *, encrypted: bool) -> list[str]:
    found = [one for one in dict.fromkeys(map(str, addresses)) if reach.allows(one, encrypted=encrypted)]
    if not found:
        raise Forbidden("the address is not one that may be reached" + ("" if encrypted else " without TLS"))
    return found


def _unknown(error: Exception) -> Unreachable:
    return Unreachable(f"no address ({type(error).__name__})")


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(ip, IPv6Address):
        if _within(ip, _TRANSLATED):
            return IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _within(ip: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(ip in network for network in networks)
