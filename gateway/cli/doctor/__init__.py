"""`xinqiao doctor`: an installation, looked over from its settings to its agencies."""

from gateway.cli.doctor.command import doctor

__all__ = ["doctor"]
