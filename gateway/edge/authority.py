"""Hosts and ports as addresses have them."""

from __future__ import annotations


def authority(host: str, port: int) -> str:
    """The authority of an address (RFC 3986, section 3.2): IPv6 addresses stand in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
