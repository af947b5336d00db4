"""The offline GraphiQL: a page and its assets, which ship with this package, so that no request leaves the machine."""

from __future__ import annotations

from gateway.console.routes import console_routes

__all__ = ["console_routes"]
