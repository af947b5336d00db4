"""Puts the gateway together from the settings: what is read first, what is opened, and in which order it is closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from connectors.contract import Dataset, RecordShape
from connectors.describe import describe
from connectors.kindness.share import Share
from connectors.lookups import LOOKUPS
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifests
from connectors.reach import Reach
from connectors.settings import SecondLevelSettings, SupplySettings
from connectors.supply import AgencySupply, open_supply
from gateway.activity import Activity
from gateway.agencies.profile import AgencyProfile
from gateway.agencies.usage import UsageLog
from gateway.audit.keys import load_signing_keys
from gateway.audit.open import audit_log, log_place, worker_part
from gateway.beside import beside
from gateway.edge.worker import Worker
from gateway.editions.compiler import Compiler
from gateway.editions.coordinates import coordinates_by_agency, own_coordinates
from gateway.editions.editions import Editions, Loaded
from gateway.editions.own_records import contract_of, own_clashes
from gateway.editions.provision import Provision, Provisions
from gateway.editions.reload import Reload, Terms
from gateway.editions.tables import TableSource, announce
from gateway.editions.views import Views
from gateway.editions.workshop import Announced, Cells, Offered, open_workshop
from gateway.errors import SettingsInvalidError
from gateway.identity.consents import ConsentIssuers
from gateway.pipeline import GRACE, Gateway, Secrets
from gateway.quotas.contract import Counters
from gateway.quotas.day_share import DayShares
from gateway.quotas.fair import Held
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.quotas import Quotas
from gateway.quotas.shared import open_shared
from gateway.quotas.sharing import Sharing
from gateway.receipt import Receipts, Salt
from gateway.settings import PREFIX, Settings
from gateway.stages.cost import tariff
from gateway.stages.document import Documents
from gateway.stages.trusted import TrustedDocuments
from gateway.tracing.contract import Tracing
from policies.consent import ConsentVerifier
from policies.load import PolicyFiles, load_policy, read_directory
from policies.publicity import load_publicity
from policies.store.contract import Store
from policies.store.open import open_store
from schema.catalogue import Catalogue, Tier
from schema.contract import Contract, national


@dataclass(frozen=True, slots=True)
class Installation:
    """The manifests of an installation by their files, checked against the catalogue, and what they supply."""

    contract: Contract
    files: Mapping[Path, Manifest]
    datasets: Mapping[str, Dataset]

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests, in the order of their files."""
        return tuple(self.files.values())

    @property
    def offered(self) -> Offered:
        """What policies are about."""
        return Offered(self.catalogue, self.cells)

    @property
    def catalogue(self) -> Catalogue:
        """Every record type: the nation's, and those that the manifests declare."""
        return self.contract.catalogue

    @property
    def agencies(self) -> Mapping[str, AgencyProfile]:
        """The agencies by id, in the order of their ids."""
        return {
            manifest.agency: AgencyProfile(
                manifest.agency,
                manifest.name.en,
                manifest.name.zh,
                tuple(sorted({dataset.record for dataset in manifest.datasets} - LOOKUPS.keys())),
            )
            for manifest in sorted(self.manifests, key=lambda manifest: manifest.agency)
        }

    @property
    def cells(self) -> Cells:
        """The coordinates that each agency has."""
        return coordinates_by_agency(self.datasets.values())

    def renewed(self, files: Mapping[Path, Manifest]) -> Installation:
        """The installation with these manifests. Raises `CatalogueInvalidError`."""
        return replace(self, contract=contract_of(files.values()), files=files, datasets=_datasets(files.values()))

    def load(self, files: PolicyFiles) -> Loaded:
        """The policy in these files, checked against the manifests. Raises `PolicyInvalid`, `PublicityInvalid`."""
        return load_version(files, self.catalogue, tuple(manifest.agency for manifest in self.manifests))


def load_version(
    files: PolicyFiles, catalogue: Catalogue, agencies: Collection[str], now: dt.datetime | None = None
) -> Loaded:
    """What a version's files say at `now` (by default, this moment). Raises `PolicyInvalid` or `PublicityInvalid`."""
    return Loaded(load_policy(files, catalogue, agencies, now=now), load_publicity(files, catalogue))


def read_installation(settings: Settings) -> Installation:
    """Reads and checks the manifests. Raises `ManifestInvalid` with every mistake found, and `CatalogueInvalidError`
    where record types that they declare clash.
    """
    files = load_manifests(settings.manifests, record_shapes(national().catalogue))
    return Installation(contract_of(files.values()), files, _datasets(files.values()))


def _datasets(manifests: Iterable[Manifest]) -> Mapping[str, Dataset]:
    return {dataset.id: dataset for manifest in manifests for dataset in describe(manifest)}


def record_shapes(catalogue: Catalogue) -> Mapping[str, RecordShape]:
    """The record types as far as connectors need to know them, those of lookups included."""
    canonical = (
        RecordShape(
            record.name,
            record.single,
            {field.name: field.kind for field in record.fields.values()},
            record.filters,
        )
        for record in catalogue.of_companies()
    )
    return {**LOOKUPS, **{shape.name: shape for shape in canonical}}


def share_of(settings: Settings, worker: int | None) -> Share:
    """The part of what agencies bear that a process may ask of them; `worker` is its number where there are several."""
    return Share.of_worker(worker or 1, settings.workers if worker else 1, settings.instances)


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    installation: Installation,
    environment: Mapping[str, str],
    worker: Worker | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Gateway]:
    """The gateway, open for as long as the context lasts. `environment` holds the manifests' `${NAME}`; `worker`
    is which it is where there are several, each with an audit log of its own; `tracing` is whoever traces requests,
    where anybody does.

    Raises the packages' errors where something is wrong or missing.
    """
    secrets = read_secrets(settings)
    number = worker.number if worker else None
    supply_settings = SupplySettings(
        environment,
        cached_rows=settings.cache_entries,
        second_level=_second_level(settings),
        reach=Reach(settings.networks, settings.plain_networks),
        share=share_of(settings, number),
        places=worker.places if worker else None,
        patience=settings.deadline.default,
        longest=settings.deadline.maximum,
        tracer=tracing,
    )
    keys = load_signing_keys(settings.audit)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_log(settings, worker_part(number)))
        counters = _counters(settings, environment)
        stack.push_async_callback(counters.close)
        supply = await open_supply(installation.manifests, record_shapes(installation.catalogue), supply_settings)
        provisions = Provisions(supply)
        stack.push_async_callback(provisions.close)
        compiler = await stack.enter_async_context(Compiler(open_workshop))
        usage = UsageLog(log_place(settings), await stack.enter_async_context(Compiler()))
        providing = _Providing(settings, Sharing(settings.quotas, supply_settings.share, DayShares(counters)), tracing)
        provision = providing.provision(installation, supply)
        editions = await stack.enter_async_context(_policy_in_force(settings, provision, compiler))
        reload = _reload(providing, installation, supply_settings, provisions, editions)
        await stack.enter_async_context(beside(reload.follow(), name="manifests"))
        verifier = ConsentVerifier({}, settings.audience, editions.current.policy.purposes)
        consents = ConsentIssuers(settings.consent_issuers, verifier)
        await consents.look()
        await stack.enter_async_context(beside(consents.follow(), name="consent issuers"))
        trusted = TrustedDocuments(settings.documents)
        if trusted.file is not None:
            await stack.enter_async_context(beside(trusted.file.follow(), name="trusted documents"))
        yield Gateway(
            editions=editions,
            trusted=trusted,
            consents=consents,
            audit=audit,
            limits=settings.limits.operation(),
            quotas=Quotas(settings.quotas, counters),
            secrets=secrets,
            receipts=Receipts(settings.audience, keys) if keys else None,
            reload=reload,
            usage=usage,
            activity=Activity(tracing),
        )


@dataclass(frozen=True, slots=True)
class _Providing:
    """How what is installed becomes what is supplied."""

    settings: Settings
    sharing: Sharing
    tracing: Tracing | None

    def provision(self, installation: Installation, supply: AgencySupply, before: Provision | None = None) -> Provision:
        """What an installation supplies, with what `before` had read of callers' operations where that still holds."""
        settings, contract, catalogue = self.settings, installation.contract, installation.catalogue
        same = before is not None and before.views.contract == contract
        held = before.held if before is not None else Held()
        shared_out = self.sharing.shared_out(supply, installation.manifests, held)
        return Provision(
            offered=installation.offered,
            datasets=installation.datasets,
            agencies=installation.agencies,
            shared=shared_datasets(installation.datasets.values(), catalogue),
            tariff=tariff(settings.cost, installation.datasets),
            supply=self.tracing.questions(shared_out) if self.tracing else shared_out,
            held=held,
            views=before.views if before and same else Views(contract),
            documents=before.documents if before and same else Documents(catalogue, settings.limits.operation()),
        )


def _reload(
    providing: _Providing,
    installation: Installation,
    supply_settings: SupplySettings,
    provisions: Provisions,
    editions: Editions,
) -> Reload:
    def provide(files: Mapping[Path, Manifest], supply: AgencySupply) -> Provision:
        return providing.provision(installation.renewed(files), supply, editions.current.provision)

    terms = Terms(
        directory=providing.settings.manifests,
        national=record_shapes(national().catalogue),
        settings=supply_settings,
        clashes=lambda manifests: {clash.agency: clash.reason for clash in own_clashes(manifests)},
        shapes=lambda manifests: record_shapes(contract_of(manifests).catalogue),
        provide=provide,
    )
    return Reload(terms, installation.files, provisions, editions)


@asynccontextmanager
async def _policy_in_force(settings: Settings, provision: Provision, compiler: Compiler) -> AsyncIterator[Editions]:
    """The policy of the settings, followed for as long as the context lasts.

    A plain directory stays as it was read, but for the dates in it; a store's versions come into force as published.
    """

    async def load(files: PolicyFiles, offered: Offered) -> tuple[Announced, TableSource]:
        return await announce(compiler, files, offered, dt.datetime.now(dt.UTC))

    editions = Editions(load=load, provision=provision, max_staleness=settings.policy_max_staleness)
    async with AsyncExitStack() as stack:
        if is_plain(settings.policies):
            files = read_directory(Path(settings.policies))
            await editions.adopt(files)
            following = [editions.keep_dates(lambda: _given(files))]
        else:
            store = await open_store(settings.policies)
            stack.push_async_callback(store.close)
            await editions.adopt((await store.latest()).files)
            following = [editions.follow(store), editions.keep_dates(lambda: _latest_files(store))]
        async with beside(*following, name="policy"):
            yield editions


def is_plain(policies: str) -> bool:
    """Whether the address of the policies is a directory with the files of one version, and no store of versions."""
    return "://" not in policies and (Path(policies) / "version.yaml").is_file()


async def policy_files(address: str) -> PolicyFiles:
    """The files of the policy at this address: those of a plain directory, or of a store's latest version."""
    if is_plain(address):
        return read_directory(Path(address))
    store = await open_store(address)
    try:
        return (await store.latest()).files
    finally:
        await store.close()


async def _given(files: PolicyFiles) -> PolicyFiles:
    return files


async def _latest_files(store: Store) -> PolicyFiles:
    return (await store.latest()).files


def shared_datasets(datasets: Iterable[Dataset], catalogue: Catalogue) -> frozenset[str]:
    """The datasets whose cached rows may serve every organisation: those that their manifest shares, and those that are
    wholly PUBLIC. For the others, how fresh an answer is would tell that somebody else had asked.
    """
    tiers = dict(catalogue.tiers())

    def public(dataset: Dataset) -> bool:
        coordinates = own_coordinates(dataset)
        return bool(coordinates) and all(tiers[coordinate] is Tier.PUBLIC for coordinate in coordinates)

    return frozenset(dataset.id for dataset in datasets if dataset.shared or public(dataset))


def read_secrets(settings: Settings) -> Secrets:
    """The installation's keys, derived from its one secret. Raises `SettingsInvalidError` where there is none."""
    root, generation = _root(settings), settings.pseudonym_generation
    masks = _derived(root, b"masks", generation.to_bytes(16))
    return Secrets(
        masks=masks, cursors=_derived(root, b"cursors"), salt=Salt(_derived(root, b"receipts")), generation=generation
    )


def _counters(settings: Settings, environment: Mapping[str, str]) -> Counters:
    """Where quotas are counted. Raises `SettingsInvalidError`."""
    quotas = settings.quotas
    if quotas.url is None:
        return MemoryCounters()
    lease = settings.deadline.maximum + GRACE
    key = _derived(_root(settings), b"quotas")
    return open_shared(quotas.url.get_secret_value(), environment, key, lease=lease, deadline=quotas.deadline)


def _second_level(settings: Settings) -> SecondLevelSettings | None:
    """The cache's second level, where there is one; its key is derived from its own secret or the installation's.

    Raises `SettingsInvalidError` where there is neither.
    """
    if settings.cache_url is None:
        return None
    root = settings.cache_key.get_secret_value().encode() if settings.cache_key else _root(settings)
    return SecondLevelSettings(
        settings.cache_url.get_secret_value(), _derived(root, b"cached rows"), settings.cache_deadline
    )


def _root(settings: Settings) -> bytes:
    if settings.secret is None:
        raise SettingsInvalidError(
            f"{PREFIX}SECRET is not set: at least 32 characters that nobody can guess, the same for all instances. "
            "Pseudonyms and cursors are keyed with it."
        )
    return settings.secret.get_secret_value().encode()


def _derived(root: bytes, use: bytes, salt: bytes = b"") -> bytes:
    return blake2b(root, digest_size=32, person=use, salt=salt).digest()
