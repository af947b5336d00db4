"""What an operator sets, by groups."""

from gateway.settings.bounds import (
    AllowanceSettings,
    ConnectionSettings,
    CostSettings,
    DeadlineSettings,
    DocumentMode,
    DocumentSettings,
    LimitSettings,
    QuotaSettings,
)
from gateway.settings.callers import (
    LEEWAY,
    AdministrationSettings,
    CertificateSettings,
    ClaimSettings,
    ConsentIssuerSettings,
    IssuerSettings,
    ProxySettings,
    SignerSettings,
    TlsSettings,
)
from gateway.settings.evidence import AuditSettings, TracingSettings
from gateway.settings.load import load_settings
from gateway.settings.settings import FILE_VARIABLE, PREFIX, Settings

__all__ = [
    "FILE_VARIABLE",
    "LEEWAY",
    "PREFIX",
    "AdministrationSettings",
    "AllowanceSettings",
    "AuditSettings",
    "CertificateSettings",
    "ClaimSettings",
    "ConnectionSettings",
    "ConsentIssuerSettings",
    "CostSettings",
    "DeadlineSettings",
    "DocumentMode",
    "DocumentSettings",
    "IssuerSettings",
    "LimitSettings",
    "ProxySettings",
    "QuotaSettings",
    "Settings",
    "SignerSettings",
    "TlsSettings",
    "TracingSettings",
    "load_settings",
]
