"""All peers, in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.contender import Contender
from benchmarks.peers.federated import FEDERATED
from benchmarks.peers.newcomers import NEWCOMERS

PEERS: Final[Sequence[Contender]] = (*FEDERATED, *NEWCOMERS)
