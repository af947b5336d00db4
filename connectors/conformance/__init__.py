"""The conformance suite: whether a system, behind its manifest, gives what the gateway counts on, and how it fails.

It asks through the same supply as the gateway. Kinds of other packages run through it as those that ship: what a kind
declares (`SystemKind.projection`, `SystemKind.transport`) and what a manifest says decide which cases fit.

    from connectors.conformance import conform

    verdicts = await conform(manifest, shapes, settings, codes)
    assert not [verdict for verdict in verdicts if verdict.result is Result.FAIL]
"""

from connectors.conformance.runner import CASES, conform
from connectors.conformance.trial import Result, Verdict

__all__ = ["CASES", "Result", "Verdict", "conform"]
