"""`xinqiao agencies`: how the agencies fare, as the workers on this machine have counted it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Annotated, Any, Final

import typer
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from connectors.health import AgencyState
from gateway.cli.output import UNUSABLE, Json, counted, failing_plainly, print_json, print_table
from gateway.edge.authority import authority
from gateway.errors import SettingsInvalidError
from gateway.settings import PREFIX, load_settings

SECONDS: Final = 10.0
"""How long a worker may take to answer."""

_CALLS: Final = ("calls", "failures", "timeouts", "retries", "hedges", "breaker_openings", "refused")
_ROWS: Final = ("mapped", "dropped", "unreadable", "wanted", "asked")
_PERCENTILES: Final = (50, 95, 99)


@dataclass(slots=True)
class _Agency:
    """What the workers say of one agency, added up; `states` are those of all of them."""

    numbers: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    buckets: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    states: set[str] = field(default_factory=set)

    def latency(self, percentile: int) -> float | None:
        """The seconds, as an upper bound, within which so many of a hundred calls were answered; None without any."""
        wanted = self.buckets.get(inf, 0.0) * percentile / 100
        return min((bound for bound, seen in self.buckets.items() if seen and seen >= wanted), default=None)

    def state(self) -> str:
        """Its state: the worst that a worker tells of."""
        worst = (AgencyState.MAINTENANCE, AgencyState.LEFT_ALONE, AgencyState.TRIED, AgencyState.ASKED)
        return next((state.value for state in worst if state.value in self.states), "")


def agencies(
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, max=99, help="How many workers there are, as told `serve`.")
    ] = None,
    json: Json = False,
) -> None:
    """Show how the agencies fare: states, calls, latencies, rows. Asks the gateway at XINQIAO_METRICS_PORT."""
    with failing_plainly():
        settings = load_settings()
        if settings.metrics_port is None:
            raise SettingsInvalidError(f"{PREFIX}METRICS_PORT is not set: it is where this command asks the gateway.")
        number = workers or settings.workers
        first = settings.metrics_port
        texts = [_asked(settings.metrics_host, port) for port in range(first, first + number)]
        found = _added_up(texts)
    if json:
        print_json({"workers": number, "agencies": [_told(id_, one) for id_, one in sorted(found.items())]})
    else:
        _show(found, number)


def _asked(host: str, port: int) -> str:
    where = authority(host, port)
    try:
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=SECONDS) as response:
            return str(response.read().decode())
    except (urllib.error.URLError, OSError) as error:
        typer.echo(f"No gateway answers at {where}: {getattr(error, 'reason', error)}. Is it running?", err=True)
        raise typer.Exit(UNUSABLE) from None


def _added_up(texts: Iterable[str]) -> Mapping[str, _Agency]:
    found: defaultdict[str, _Agency] = defaultdict(_Agency)
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if "agency" in sample.labels:
                    _add(found[sample.labels["agency"]], sample)
    return found


def _add(agency: _Agency, sample: Sample) -> None:
    match sample.name:
        case "xinqiao_agency_state":
            if sample.value:
                agency.states.add(sample.labels["xinqiao_agency_state"])
        case "xinqiao_agency_call_seconds_bucket":
            agency.buckets[float(sample.labels["le"])] += sample.value
        case _:
            name = sample.name.removeprefix("xinqiao_agency_").removeprefix("xinqiao_dataset_")
            agency.numbers[name.removesuffix("_total")] += sample.value


def _told(id_: str, one: _Agency) -> Mapping[str, Any]:
    numbers = {name: int(one.numbers[name]) for name in (*_CALLS, *_ROWS)}
    return {
        "id": id_,
        "state": one.state(),
        "calls": {name: numbers[name] for name in _CALLS},
        "latency": {f"p{percentile}": _seconds(one.latency(percentile)) for percentile in _PERCENTILES},
        "rows": {name: numbers[name] for name in _ROWS[:3]},
        "cache": {"wanted": numbers["wanted"], "kept": max(numbers["wanted"] - numbers["asked"], 0)},
    }


def _seconds(latency: float | None) -> float | None:
    """JSON knows no infinity: what took longer than the last bound is told as null, as without any call."""
    return None if latency == inf else latency


def _show(found: Mapping[str, _Agency], workers: int) -> None:
    columns = ("agency", "state", "calls", "failed", "late", "p50", "p95", "p99", "rows", "dropped", "kept")
    rows = []
    for id_, one in sorted(found.items()):
        number = one.numbers
        kept = f"{1 - number['asked'] / number['wanted']:.0%}" if number["wanted"] else ""
        late = [_bound(one.latency(percentile)) for percentile in _PERCENTILES]
        counts = [f"{int(number[name]):,}" for name in ("calls", "failures", "timeouts")]
        of_rows = [f"{int(number[name]):,}" for name in ("mapped", "dropped")]
        rows.append((id_, one.state(), *counts, *late, *of_rows, kept))
    print_table(f"How agencies fare, by {counted(workers, 'worker')}", columns, rows)


def _bound(latency: float | None) -> str:
    if latency is None:
        return ""
    return "longer" if latency == inf else f"<= {latency * 1_000:g} ms"
