"""What may be done with a request about a child's data, by operationId."""

from datetime import timedelta
from typing import Final

from app.access.acts import (
    Act,
    Afterwards,
    ApprovalRequired,
    Condition,
    Guard,
    given,
    personally,
    stands,
    unset,
)
from app.access.guards import ALWAYS
from app.core.problems import Problem
from app.rights.area import ANSWER, FILE
from app.rights.models import RightsKind, RightsOutcome, RightsState


class RightsRequestNotFound(Problem, status=404, denies=True):
    """No such request, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such request"
    title_zh = "没有这项请求"


class RightsRequestEnded(Problem, status=409):
    """It has its answer, or was taken back."""

    title = "This request was answered or taken back"
    title_zh = "该请求已答复或撤回"


class NoCopyAsked(Problem, status=409):
    """A copy answers a request to see, copy or take along."""

    title = "This request asks for no copy"
    title_zh = "该请求并未要求副本"


class IdentityNotChecked(Problem, status=409):
    """Nothing of a child is given to whom nobody saw to be the child or its guardian."""

    title = "First see who asks; nothing is given before"
    title_zh = "请先核实请求人身份"


class NotRestricted(Problem, status=409):
    """The file is not restricted by this request."""

    title = "This request restricts nothing"
    title_zh = "该请求未限制处理"


class NotGranted(Problem, status=409):
    """Only what was granted is erased; what the law demands keeping is stored and nothing else."""

    title = "This request is no erasure that was granted"
    title_zh = "该请求并非已同意的删除请求"


class ErasedAlready(Problem, status=409):
    """Its key is no more: nothing of it can be used again."""

    title = "This file was erased"
    title_zh = "该档案已删除"


_COPIED: Final = (RightsKind.access, RightsKind.portability)
_CHECKED: Final = (
    *("resident_id_card", "household_register", "guardianship_paper", "known_in_person"),
)
_OPEN: Final = stands(lambda *_: (RightsState.open,), lambda *_: RightsRequestEnded())
SEEN: Final = stands(lambda *_: _CHECKED, lambda *_: IdentityNotChecked(), "identity_check")

RESTRICTS: Final = Guard(
    Condition(
        ("restricted_at",),
        lambda *_: True,
        lambda restricted, wanted: wanted and restricted is not None,
        "({0} IS NOT NULL AND {wanted}::boolean)",
        lambda *_: ApprovalRequired(),
    ),
    "答复后该儿童的档案仅予存储、停止其他处理",
    "answers by which a child's file is stored from then on and nothing else",
)
"""Nobody makes a child vanish from all who look after it alone. In a list nothing is answered yet:
to refuse takes one person."""

TAKEN_BACK: Final = Afterwards(
    timedelta(hours=72),
    "撤回关于儿童信息的请求,即时终止答复期限",
    "what was asked about a child's data is taken back, and with it the day it is owed by",
    by="civil_affairs",
)
"""Whoever owes the answer, or is late with it, could say that nobody wants it any more."""

USED_AGAIN: Final = Afterwards(
    timedelta(hours=72),
    "恢复使用仅予存储的档案",
    "a file that was to be stored and nothing else is used again",
    by="civil_affairs",
)
"""Two people let it be stored alone, as a family was answered; one could undo it unseen."""

ACTS: Final = {
    "copyChildData": Act(
        ANSWER.code,
        (
            personally("id"),
            _OPEN,
            stands(lambda *_: _COPIED, lambda *_: NoCopyAsked(), "kind"),
            SEEN,
        ),
    ),
    "printChildReaders": Act(ANSWER.code, (personally("id"), _OPEN, SEEN)),
    "answerRightsRequest": Act(ANSWER.code, (personally("id"), _OPEN), guard=RESTRICTS),
    "cancelRightsRequest": Act(FILE.code, (_OPEN,)),
    "liftRestriction": Act(
        ANSWER.code,
        (
            personally("id"),
            given("restricted_at", NotRestricted),
            unset("restriction_ended_at", NotRestricted),
            unset("erased_at", ErasedAlready),
        ),
    ),
    "eraseChildData": Act(
        ANSWER.code,
        (
            personally("id"),
            stands(lambda *_: (RightsOutcome.granted,), lambda *_: NotGranted(), "outcome"),
            stands(lambda *_: (RightsKind.erasure,), lambda *_: NotGranted(), "kind"),
            given("restricted_at", NotRestricted),
            unset("restriction_ended_at", NotRestricted),
            unset("erased_at", ErasedAlready),
        ),
        guard=ALWAYS,
    ),
}
