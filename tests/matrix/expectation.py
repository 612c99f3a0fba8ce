"""What each caller must be answered, worked out anew from the data of the roles.

Nothing here is taken from the code under test: `roles.yaml` and the duties' `rules.yaml` are read
as text, and visibility, regions and parts in a case are written out a second time (AZ-1…AZ-11).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from tests.matrix.data import DUTIES, PURPOSES, ROLES, done_for, inside, remit  # noqa: F401
from tests.matrix.described import Operation
from tests.matrix.facts import Target, Who
from tests.matrix.offices import OFFICES
from tests.matrix.people import PEOPLE
from tests.matrix.visible import (
    ANSWERS_FOR_ITS_PLACE,
    VISIBLE,
    is_in_place,
    owns,
    protects,
    reads_categories,
    settles,
)


class Answer(StrEnum):
    """Kinds of answers, in the order in which the reasons for them are looked at."""

    NO_SCOPE = "scope-missing"
    NO_PURPOSE = "purpose-not-allowed"
    ABSENT = "not found"
    REFUSED = "known, but not theirs to do"
    DONE = "let through"


def expected(
    operation: Operation, named: tuple[str, ...], gives: str | None, who: Who, target: Target
) -> Answer:
    """Say how a well-formed request must be answered, for a purpose the role has, if it has any.

    `named`: what the request names in path, query or body. `gives`: the role it would give away.
    """
    role = ROLES[who.role]
    if operation.scope not in role["scopes"]:
        return Answer.NO_SCOPE
    if operation.needs_purpose and not (
        done_for(operation.id, operation.scope) & {*role["purposes"]}
    ):
        return Answer.NO_PURPOSE
    said_it = {"supersedeReport": target.reporter, "correctVisit": target.owner}
    if said_it.get(operation.id) != who.agency and not all(
        VISIBLE[name](who, target) for name in named
    ):
        return Answer.ABSENT
    if operation.id in REFUSED and REFUSED[operation.id](who, target, gives):
        return Answer.REFUSED
    return Answer.DONE


_OWN_LINE = {"civil_affairs", "township_supervisor", "village_director"}

Refusal = Callable[[Who, Target, str | None], bool]


def _may_give(who: Who, role: str | None) -> bool:
    """Civil affairs fill the posts of their own line, the operator every one (AZ-11)."""
    return who.role == "operator" or (who.role == "civil_affairs" and role in _OWN_LINE)


def _writes(who: Who, *sections: str) -> bool:
    return set(sections) <= set(ROLES[who.role]["writes"])


def _not_with_us(who: Who, target: Target, gives: str | None) -> bool:
    return target.police != who.agency


def _not_our_child(who: Who, target: Target, gives: str | None) -> bool:
    return not protects(who, target)


def _neither_police_nor_place(who: Who, target: Target, gives: str | None) -> bool:
    return target.police != who.agency if who.kind == "police" else not protects(who, target)


def _not_our_place(who: Who, target: Target, gives: str | None) -> bool:
    return not inside(who, target.region)


def _not_our_pupil(who: Who, target: Target, gives: str | None) -> bool:
    return target.school != who.agency


def _not_written_to(who: Who, target: Target, gives: str | None) -> bool:
    return who.agency not in target.addressed


def _more_than_own(who: Who, target: Target, gives: str | None) -> bool:
    """Nobody gives a machine more than they have (AZ-11)."""
    if who.role == "operator":
        return False  # neither role fits an operator's agency
    granted = set(ROLES[gives or ""]["scopes"])
    return (
        target.owner != who.agency
        or not inside(who, target.region)
        or not granted <= set(ROLES[who.role]["scopes"])
    )


def _no_post_of_ours(who: Who, target: Target, gives: str | None) -> bool:
    places = (target.region, target.owner_region)
    return not _may_give(who, gives) or not all(inside(who, place) for place in places)


def _could(role: str, who: Who, target: Target) -> bool:
    """Only a person in the same role, over the same object, decides what one did or proposed."""
    return (who.role, who.holder) == (role, "staff") and inside(who, target.region)


REFUSED: Mapping[str, Refusal] = {
    **OFFICES,
    **PEOPLE,
    **dict.fromkeys(
        ("tryPolicyValue", "startPolicyTrial"), lambda who, _, __: not reads_categories(who)
    ),
    **dict.fromkeys(
        ("attachUnresolved", "takeBackUnresolved", "dismissUnresolved"),
        lambda who, target, _: not settles(who, target) or who.holder == "machine",
    ),
    "proposeWithdrawal": lambda who, target, _: not owns(who, target) or who.holder == "machine",
    "confirmWithdrawal": lambda who, _, __: (
        who.role not in ANSWERS_FOR_ITS_PLACE or who.holder == "machine"
    ),
    "correctUnresolved": lambda who, _, __: who.holder == "machine",
    "createChild": lambda who, target, _: (
        not _writes(who, "identity", "residence") or not inside(who, target.region)
    ),
    "changeChild": lambda who, _, __: not _writes(who, "guardianship"),
    **dict.fromkeys(
        (
            "investigateReport",
            "notifyTownship",
            "forwardReport",
        ),
        _not_with_us,
    ),
    **dict.fromkeys(
        (
            "confirmTownshipNotice",
            "recordAssessment",
            "arrangeServices",
        ),
        _not_our_child,
    ),
    "readReporter": lambda *_: True,  # by nobody alone
    "readReporterAlone": lambda who, target, _: (
        _not_with_us(who, target, None) or who.holder == "machine"
    ),
    "judgeOmissions": lambda who, target, _: (
        _not_with_us(who, target, None) or who.holder == "machine"
    ),
    "readAssessmentDocument": lambda who, target, _: (
        "police_reports:receive" not in ROLES[who.role]["scopes"] or not protects(who, target)
    ),
    "closeReport": lambda who, target, _: not is_in_place(who, target) or who.holder == "machine",
    "createAgency": _not_our_place,
    **dict.fromkeys(("identifyChild", "joinReports"), _neither_police_nor_place),
    # Its words say police, and everything below the county may be meant.
    "nameSuspect": lambda who, target, _: (
        _neither_police_nor_place(who, target, None)
        or who.holder == "machine"
        or (target.unclear_whom and (who.kind == "police" or len(remit(who.region)) < 10**6))
    ),
    "withdrawSuspect": lambda who, target, _: (
        _neither_police_nor_place(who, target, None)
        or who.holder == "machine"
        or (who.kind != "police" and len(remit(who.region)) < 10**6)
    ),
    "separateReport": lambda who, target, _: (
        _neither_police_nor_place(who, target, None) or who.holder == "machine"
    ),
    # Whose child it is by now; who looked after it before does not take it from them.
    "withdrawIdentification": lambda who, target, _: (
        _neither_police_nor_place(who, replace(target, before=None), None)
        or who.holder == "machine"
    ),
    # Somebody of the same agency proposed to close it.
    "confirmClosure": lambda who, target, _: (
        not is_in_place(who, target)
        or who.holder == "machine"
        or (who.kind != "civil_affairs" and target.owner != who.agency)
    ),
    "breakGlass": lambda who, _, __: who.holder == "machine",
    **dict.fromkeys(
        ("readBreakGlassFile", "endBreakGlass"),
        lambda who, target, _: (who.person, who.role) != (target.opener, target.opened_as),
    ),
    "reviewBreakGlass": lambda who, target, _: (
        who.holder == "machine" or not inside(who, target.region) or owns(who, target)
    ),
    "lookElsewhere": lambda who, _, gives: who.kind != gives,
    "setPublicContact": lambda *_: True,  # two people say it
    **dict.fromkeys(
        (
            *("copyChildData", "printChildReaders", "answerRightsRequest", "liftRestriction"),
            "eraseChildData",
        ),
        lambda who, _, __: who.holder == "machine",
    ),
    "recordBreachTold": lambda who, target, _: not owns(who, target),
    "closeBreach": lambda who, target, _: not owns(who, target) or who.holder == "machine",
    "answerReferral": lambda who, target, _: target.police != who.agency,
    "cancelReferral": lambda who, target, _: not owns(who, target),
    **dict.fromkeys(
        ("supersedeReport", "assistPolice"),
        lambda who, target, _: target.reporter != who.agency,
    ),
    **dict.fromkeys(
        ("recordPersuasion", "recordParentContact", "enterInRegister", "sendWrittenReport"),
        _not_our_pupil,
    ),
    **dict.fromkeys(
        ("recordReturn", "settleDoubt", "recordPresenceFinding"),
        lambda who, target, _: target.school != who.agency or who.holder == "machine",
    ),
    **dict.fromkeys(("acknowledgeWrittenReport", "orderMeasure"), _not_written_to),
    "addPost": _no_post_of_ours,
    # The posts of an operator are filled by two.
    "holdPost": lambda who, _, gives: not _may_give(who, gives) or who.role == "operator",
    "leavePost": lambda who, _, gives: not _may_give(who, gives),
    "registerClient": _more_than_own,
    # By nobody alone.
    **dict.fromkeys(
        (
            *("registerApp", "allowBearerTokens", "replaceClientKeys"),
            *("registerWitness", "endWitness"),
            "presentCheckpoint",  # of the stage none is a witness: tests/sealing/test_forks.py
        ),
        lambda *_: True,
    ),
    "endBearerTokens": lambda who, _, __: who.role != "operator",
    "resumeClient": lambda who, _, __: who.role == "operator",
    "proposeApproval": lambda who, target, _: not _could("operator", who, target),
    **dict.fromkeys(
        ("decideApproval", "finishReview"),
        lambda who, target, _: not _could("civil_affairs", who, target),
    ),
    "withdrawApproval": lambda *_: True,  # somebody else proposed it
    "closeWebhookDelivery": lambda who, _, __: who.holder == "machine",
}
"""When a visible thing is still not the caller's to do: parts in a case, sections, remits."""
