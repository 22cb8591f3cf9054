"""Refuses to close a request with a step undone, to refuse one after something irrevocable was done, and to skip a step.

Which steps a data subject's request takes, which legal clocks it starts, and which step meets which of them. A request about
somebody nobody knows takes the same steps and gets the same answer: what there is to do in them is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from schemas.cases import CaseKind, CaseStep, CaseStepName, StepState
from schemas.clocks import ClockKind

_S = CaseStepName

#: What is done, in order. The answer comes last: it tells what was done.
STEPS: Final[Mapping[CaseKind, tuple[CaseStepName, ...]]] = MappingProxyType(
    {
        CaseKind.ACCESS: (_S.REPORT, _S.ANSWER),
        CaseKind.RECTIFICATION: (_S.CORRECT, _S.PROPAGATE, _S.ANSWER),
        CaseKind.ERASURE: (_S.WITHDRAW, _S.ERASE, _S.RECIPIENTS, _S.ANSWER),
        CaseKind.OBJECTION: (_S.WITHDRAW, _S.RECIPIENTS, _S.ANSWER),
        CaseKind.RESTRICTION: (_S.RESTRICT, _S.ANSWER),
    }
)

#: Clocks that start when a request is received. 152-FZ 20(1), 21(1), 21(2), 21(5), 21(5.1); GDPR 12(3).
CLOCKS: Final[Mapping[CaseKind, tuple[ClockKind, ...]]] = MappingProxyType(
    {
        CaseKind.ACCESS: (ClockKind.SUBJECT_REQUEST,),
        CaseKind.RECTIFICATION: (ClockKind.INACCURATE,),
        CaseKind.ERASURE: (ClockKind.STOP_DEMAND, ClockKind.WITHDRAWAL),
        CaseKind.OBJECTION: (ClockKind.MARKETING_STOP, ClockKind.STOP_DEMAND),
        CaseKind.RESTRICTION: (ClockKind.COMPLAINT, ClockKind.SUBJECT_REQUEST),
    }
)

#: Clocks a step meets when it is done; whatever still runs is met when the request is closed.
MEETS: Final[Mapping[CaseStepName, tuple[ClockKind, ...]]] = MappingProxyType(
    {
        _S.WITHDRAW: (ClockKind.MARKETING_STOP,),
        _S.RESTRICT: (ClockKind.COMPLAINT,),
        _S.PROPAGATE: (ClockKind.INACCURATE,),
        _S.RECIPIENTS: (ClockKind.STOP_DEMAND, ClockKind.WITHDRAWAL),
    }
)

#: Steps a person does and tells of: with a reference of the message that went out.
BY_HAND: Final = frozenset({_S.ANSWER})
#: What these did cannot be undone: a request in which one is done is no longer refused.
IRREVOCABLE: Final = frozenset({_S.ERASE, _S.CORRECT})


def next_step(steps: Sequence[CaseStep]) -> CaseStep | None:
    """The first step that is not done."""
    return next((each for each in steps if each.state in {StepState.OPEN, StepState.WAITING}), None)


def may_close(steps: Sequence[CaseStep]) -> bool:
    """Whether every step is done."""
    return next_step(steps) is None


def may_refuse(steps: Sequence[CaseStep]) -> bool:
    """Whether nothing irrevocable was done."""
    return not any(each.state is StepState.DONE and each.name in IRREVOCABLE for each in steps)
