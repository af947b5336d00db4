"""One request, read and found sound: who asks, what, and about whom."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.agencies.told import Days
from gateway.stages.arguments import Slice
from gateway.stages.caller import Caller
from gateway.stages.local import LocalResult
from gateway.stages.operation import AnswerSelection, Operation
from gateway.stages.roots import RootCompanies


class Question(msgspec.Struct, frozen=True):
    """What is about to be asked of the agencies. `usage` is over how many days their use is to be told; `local` is what
    the roots gave that no agency is asked for.
    """

    caller: Caller
    operation: Operation
    slices: Mapping[AnswerSelection, Slice]
    companies: RootCompanies
    usage: Days
    local: LocalResult
