"""What the planner may know of an agency's datasets, from its manifest alone."""

from __future__ import annotations

from connectors.contract import Coverage, Dataset
from connectors.kinds import kinds
from connectors.manifest import DatasetManifest, Manifest


def describe(manifest: Manifest) -> tuple[Dataset, ...]:
    """The manifest's datasets, in its order."""
    return tuple(_dataset(manifest, dataset) for dataset in manifest.datasets)


def _dataset(manifest: Manifest, dataset: DatasetManifest) -> Dataset:
    covered = dataset.coverage
    return Dataset(
        id=f"{manifest.agency}/{dataset.record}",
        agency=manifest.agency,
        record=dataset.record,
        fields=frozenset(dataset.fields),
        coverage=Coverage(
            covered.registered,
            frozenset(covered.divisions),
            frozenset(covered.authorities),
            frozenset(covered.categories),
        ),
        batch=dataset.batch,
        projection=kinds().usable[manifest.kind].projection,
        filters=frozenset(dataset.filters),
        time_to_live=dataset.time_to_live,
        shared=dataset.shared,
        key=dataset.key.kind,
        precedence=dataset.precedence,
    )
