"""Puts the gateway together from the settings: what is read first, what is opened, and in which order it is closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b

from connectors.contract import Dataset, RecordShape
from connectors.describe import describe
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifests
from connectors.settings import SupplySettings
from connectors.supply import open_supply
from gateway.agencies import AgencyProfile
from gateway.audit import AuditLog
from gateway.document import Documents
from gateway.errors import SettingsInvalidError
from gateway.pipeline import Gateway, Secrets
from gateway.prepare import Preparer
from gateway.settings import PREFIX, Settings
from gateway.tables import Cells, Compiler, Tables
from gateway.tokens import load_key_set
from gateway.views import Views
from policies.consent import ANY_COMPANY, ConsentIssuer, ConsentVerifier
from policies.load import load_policy, read_directory
from policies.policy import Policy
from policies.publicity import Publicity, load_publicity
from schema.catalogue import Catalogue, Tier
from schema.records import catalogue as build_catalogue


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation's files say: the manifests, checked against the catalogue, and the policy, checked against
    both.
    """

    catalogue: Catalogue
    manifests: tuple[Manifest, ...]
    datasets: Mapping[str, Dataset]
    policy: Policy
    publicity: Publicity

    @property
    def agencies(self) -> Mapping[str, AgencyProfile]:
        """The agencies by id, in the order of their ids."""
        return {
            manifest.agency: AgencyProfile(
                manifest.agency,
                manifest.name.en,
                manifest.name.zh,
                tuple(sorted(dataset.record for dataset in manifest.datasets)),
            )
            for manifest in sorted(self.manifests, key=lambda manifest: manifest.agency)
        }

    @property
    def cells(self) -> Cells:
        """The coordinates that each agency supplies."""
        supplied: defaultdict[str, set[str]] = defaultdict(set)
        for dataset in self.datasets.values():
            supplied[dataset.agency].add(dataset.record)
            supplied[dataset.agency].update(f"{dataset.record}.{field}" for field in dataset.fields)
        return {agency: frozenset(coordinates) for agency, coordinates in supplied.items()}


def read_installation(settings: Settings) -> Installation:
    """Reads and checks all files. Raises `ManifestInvalid` or `PolicyInvalid` with every mistake found."""
    catalogue = build_catalogue()
    manifests = load_manifests(settings.manifests, record_shapes(catalogue))
    datasets = {dataset.id: dataset for manifest in manifests for dataset in describe(manifest)}
    policy = load_policy(read_directory(settings.policies), catalogue, [manifest.agency for manifest in manifests])
    publicity = load_publicity(settings.policies / "publicity")
    return Installation(catalogue, tuple(manifests), datasets, policy, publicity)


def record_shapes(catalogue: Catalogue) -> Mapping[str, RecordShape]:
    """The record types as far as connectors need to know them."""
    return {
        record.name: RecordShape(
            record.name,
            record.single,
            {field.name: field.kind for field in record.fields.values()},
            record.filters,
        )
        for record in catalogue.records.values()
    }


@asynccontextmanager
async def open_gateway(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Gateway]:
    """The gateway, open for as long as the context lasts. `environment` holds the manifests' `${NAME}`.

    Raises the packages' errors where something is wrong or missing.
    """
    installation = read_installation(settings)
    secrets = _secrets(settings)
    supply_settings = SupplySettings(environment, cached_rows=settings.cache_entries)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(AuditLog(settings.audit_file))
        supply = await open_supply(installation.manifests, record_shapes(installation.catalogue), supply_settings)
        stack.push_async_callback(supply.close)
        compiler = await stack.enter_async_context(Compiler())
        yield Gateway(
            policy=installation.policy,
            tables=Tables(installation.policy, installation.cells, compiler),
            preparer=Preparer(installation.datasets, installation.agencies, installation.publicity),
            views=Views(installation.catalogue),
            documents=Documents(installation.catalogue, settings.limits.operation()),
            supply=supply,
            agencies=installation.agencies,
            publicity=installation.publicity,
            consents=ConsentVerifier(_consent_issuers(settings), settings.audience, installation.policy.purposes),
            audit=audit,
            shared=shared_datasets(installation.datasets.values(), installation.catalogue),
            limits=settings.limits.operation(),
            secrets=secrets,
        )


def shared_datasets(datasets: Iterable[Dataset], catalogue: Catalogue) -> frozenset[str]:
    """The datasets whose cached rows may serve every organisation: those that their manifest shares, and those that are
    wholly PUBLIC. For the others, how fresh an answer is would tell that somebody else had asked.
    """
    tiers = dict(catalogue.tiers())

    def public(dataset: Dataset) -> bool:
        coordinates = (dataset.record, *(f"{dataset.record}.{field}" for field in dataset.fields))
        return all(tiers[coordinate] is Tier.PUBLIC for coordinate in coordinates)

    return frozenset(dataset.id for dataset in datasets if dataset.shared or public(dataset))


def _consent_issuers(settings: Settings) -> Mapping[str, ConsentIssuer]:
    return {
        issuer.id: ConsentIssuer(
            issuer.id, load_key_set(issuer), frozenset(issuer.companies) or frozenset({ANY_COMPANY})
        )
        for issuer in settings.consent_issuers
    }


def _secrets(settings: Settings) -> Secrets:
    """The installation's keys, derived from its one secret. Raises `SettingsInvalidError` where there is none."""
    if settings.secret is None:
        raise SettingsInvalidError(
            f"{PREFIX}SECRET is not set: at least 32 characters that nobody can guess, the same for all instances. "
            "Pseudonyms and cursors are keyed with it."
        )
    root = settings.secret.get_secret_value().encode()

    def derive(use: bytes) -> bytes:
        return blake2b(root, digest_size=32, person=use).digest()

    return Secrets(masks=derive(b"masks"), cursors=derive(b"cursors"))
