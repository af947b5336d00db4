"""Manifests and policies, and whether the settings speak of organisations and agencies that there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from connectors.manifest import Manifest
from gateway.assembly import is_plain, load_version, policy_files
from gateway.cli.check import check_manifests, check_policies
from gateway.cli.doctor.finding import Finding, Trouble, attempt, fault, good, warning
from gateway.cli.manifests import Fault
from gateway.cli.output import counted
from gateway.editions.own_records import contract_of, without_clashes
from gateway.settings import PREFIX, Settings
from policies.load import PolicyFiles
from policies.policy import Policy


async def rules(settings: Settings, manifests: Sequence[Manifest]) -> list[Finding]:
    """What is found of the policy, over what these manifests supply."""
    found = list(_shipped(settings, "policies"))
    files = await attempt(policy_files(settings.policies))
    if isinstance(files, Trouble):
        return [*found, fault("policies", files, f"see to {PREFIX}POLICIES; xinqiao policy init begins a store")]
    return [*found, *await asyncio.to_thread(_policy, settings, files, manifests)]


def read_manifests(settings: Settings) -> tuple[Sequence[Manifest], list[Finding]]:
    """The manifests that can be used, and what is found of all of them. Blocks."""
    manifests, faults = check_manifests(settings.manifests)
    found = [*_mistakes("manifests", faults), *_shipped(settings, "manifests")]
    return without_clashes(manifests), [*found, good("manifests", f"{counted(len(manifests), 'manifest')} can be used")]


def _mistakes(subject: str, faults: Iterable[Fault]) -> Iterator[Finding]:
    for one in faults:
        yield fault(subject, f"{one['file']}:{one['line']}: {one['message']}", one["hint"] or "mend the file")


def _shipped(settings: Settings, subject: str) -> Iterator[Finding]:
    """What nobody has set is the demonstration's."""
    if subject not in settings.model_fields_set:
        variable = f"{PREFIX}{subject.upper()}"
        yield warning(subject, f"{variable} is not set: they are the demonstration's", f"set {variable}")


def _policy(settings: Settings, files: PolicyFiles, manifests: Sequence[Manifest]) -> Iterator[Finding]:
    faults = check_policies(files, manifests)
    if faults:
        yield from _mistakes("policies", faults)
        return
    policy = load_version(files, contract_of(manifests).catalogue, [one.agency for one in manifests]).policy
    yield good("policies", f"version {policy.version} of {policy.published_at.date().isoformat()} can be used")
    if is_plain(settings.policies):
        remedy = "keep it in a store (xinqiao policy init), where versions are approved, followed and rolled back"
        yield warning("policies", "they are plain files, which are read at the start alone", remedy)
    yield from _strangers(settings, policy, manifests)


def _strangers(settings: Settings, policy: Policy, manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Names in the settings that nobody has: what is set for them holds nobody."""
    organisations = {
        "ISSUERS": [
            name
            for issuer in settings.issuers
            for name in (
                *issuer.organisations,
                *((issuer.organisation,) if issuer.organisation else ()),
                *issuer.claims.organisation_values.values(),
            )
        ],
        "CERTIFICATES": [entry.organisation for entry in settings.certificates],
        "QUOTAS__ORGANISATIONS": settings.quotas.organisations,
        "COST__BUDGETS": settings.cost.budgets,
        "DOCUMENTS__ORGANISATIONS": settings.documents.organisations,
    }
    for setting, names in organisations.items():
        yield from _unknown(setting, names, policy.organisations, "organisation of the policy")
    agencies = {manifest.agency for manifest in manifests}
    weighed = agencies | {
        f"{manifest.agency}/{dataset.record}" for manifest in manifests for dataset in manifest.datasets
    }
    yield from _unknown("COST__WEIGHTS", settings.cost.weights, weighed, "agency or dataset")
    yield from _unknown("TRACING__AGENCIES", settings.tracing.agencies, agencies, "agency")


def _unknown(setting: str, names: Iterable[str], known: Iterable[str], what: str) -> Iterator[Finding]:
    for name in sorted(set(names).difference(known)):
        near = get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"register it, or take it out of {PREFIX}{setting}"
        yield warning(f"{PREFIX}{setting}", f"{name} is no {what}", remedy)
