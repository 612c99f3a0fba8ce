"""What each caller must be answered, worked out anew from the data of the roles.

Nothing here is taken from the code under test: `roles.yaml` and the duties' `rules.yaml` are read
as text, and visibility, regions and parts in a case are written out a second time (AZ-1…AZ-11).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from tests.matrix.described import Operation
from tests.matrix.facts import Target, Who
from tests.matrix.found import PARTS
from tests.matrix.offices import OFFICES
from tests.matrix.roles import DUTIES, ROLES, inside, remit

PURPOSES = ("care", "education", "protection", "registration", "supervision")
"""The closed list (AZ-6)."""


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
    if operation.needs_purpose and not role["purposes"]:
        return Answer.NO_PURPOSE
    said_it = {"supersedeReport": target.reporter, "correctVisit": target.owner}
    if said_it.get(operation.id) != who.agency and not all(
        VISIBLE[name](who, target) for name in named
    ):
        return Answer.ABSENT
    if operation.id in REFUSED and REFUSED[operation.id](who, target, gives):
        return Answer.REFUSED
    return Answer.DONE


def sees_child(who: Who, target: Target) -> bool:
    """A school sees its pupils wherever they live."""
    relation = ROLES[who.role]["relation"]
    if relation == "enrolled":
        return target.school == who.agency
    return relation == "region" and inside(who, target.region)


def sees_alert(who: Who, target: Target) -> bool:
    return sees_child(who, target) or target.school == who.agency or who.agency in target.addressed


def sees_referral(who: Who, target: Target) -> bool:
    """Who sent it, whom it was sent to, and who looks after the children of the region."""
    looks_after = ROLES[who.role]["relation"] == "region" and (
        "visits:read" in ROLES[who.role]["scopes"]
    )
    part = who.agency in {target.owner, target.police}
    return part or (looks_after and inside(who, target.region))


def sees_report(who: Who, target: Target) -> bool:
    """Never who is reported (AZ-8); else the police it is with, the protectors, who filed it."""
    scopes = ROLES[who.role]["scopes"]
    if "police_reports:handle" in scopes:
        with_us = who.agency in {target.police, target.passed_on_by}
        meant = target.unclear_whom and len(remit(who.region)) < 10**6
        part = (with_us and not meant) or target.reporter == who.agency
        return part and not _accused(who, target)
    part = _protects(who, target) or target.reporter == who.agency
    return part and not _hidden(who, target)


def _accused(who: Who, target: Target) -> bool:
    return who.agency in {target.suspect, target.accused_before}


def _hidden(who: Who, target: Target) -> bool:
    """From whom it speaks against, and, while its words may mean anybody, from who is below the
    county and did not say them.
    """
    meant = target.unclear_whom and len(remit(who.region)) < 10**6
    return _accused(who, target) or (meant and target.reporter != who.agency)


def _protects(who: Who, target: Target) -> bool:
    """The offices of the place, of the child's home, and of where it lived when it happened."""
    places = (target.scene, target.region, target.before)
    return "police_reports:receive" in ROLES[who.role]["scopes"] and any(
        place is not None and inside(who, place) for place in places
    )


def _is_in_place(who: Who, target: Target) -> bool:
    """Whoever ends a case is of where it happened or of where the child lives now."""
    return _protects(who, replace(target, before=None))


_ANSWERS_FOR_ITS_PLACE = {"township_supervisor", "civil_affairs"}


def _settles(who: Who, target: Target) -> bool:
    """Whose place a visit is sent from says whom it was paid to."""
    return who.role in _ANSWERS_FOR_ITS_PLACE and inside(who, target.region)


def _sees_unresolved(who: Who, target: Target) -> bool:
    """Offices see what their places sent, unless it is about a report that they must learn nothing
    of; all others what their own agency did.
    """
    if who.role in {*_ANSWERS_FOR_ITS_PLACE, "education_authority"}:
        return _settles(who, target) and not _hidden(who, target)
    return _owns(who, target)


def _owns(who: Who, target: Target) -> bool:
    return target.owner == who.agency


def _arranges_posts(who: Who, target: Target) -> bool:
    return _owns(who, target) or inside(who, target.owner_region)


def _administers(who: Who, target: Target) -> bool:
    return _owns(who, target) or who.role == "operator"


def _shares_power(who: Who, target: Target) -> bool:
    """The agency of who proposed it, the one it concerns (the police of the target), and civil
    affairs of the place, as whom it was proposed.
    """
    theirs = _owns(who, target) or target.police == who.agency
    may_decide = who.role == "civil_affairs" and inside(who, target.region)
    return (theirs or may_decide) and not _hidden(who, target)


def _everyone(who: Who, target: Target) -> bool:
    return True


def _audits(who: Who, target: Target) -> bool:
    """The entry is about the report."""
    return not _hidden(who, target) and (
        _owns(who, target) or (who.role == "auditor" and inside(who, target.region))
    )


def _sees_duty(rule: str) -> Callable[[Who, Target], bool]:
    """Who sees the region's duties under a rule; others see what their own agency owes."""

    def sees(who: Who, target: Target) -> bool:
        bearer = {"EDU-04": target.school, "REP-07": target.police}.get(rule)
        if rule == "REP-07" and target.told_to is not None and _hidden(who, target):
            return False  # though it was told before
        if ROLES[who.role]["relation"] != "region":
            return bearer == who.agency
        told = target.told_to if rule == "REP-07" else None
        looks_after = rule == "EDU-04" and target.overseer == who.agency
        return (
            (inside(who, target.region) or looks_after)
            and who.role in DUTIES[rule]["seen_by"]
            and (told is None or who.agency in told)
        )

    return sees


def _reads_categories(who: Who) -> bool:
    return {"derived", "residence"} <= set(ROLES[who.role]["reads"])


def _sees_trial(who: Who, target: Target) -> bool:
    return _owns(who, target) and inside(who, target.region) and _reads_categories(who)


VISIBLE: Mapping[str, Callable[[Who, Target], bool]] = {
    "child_id": sees_child,
    **{part.id: sees_child for part in PARTS},
    "referral_id": sees_referral,
    "alert_id": sees_alert,
    "report_id": sees_report,
    "batch_id": _owns,
    "trial_id": _sees_trial,
    "unresolved_id": _sees_unresolved,
    "endpoint_id": _owns,
    "delivery_id": _owns,
    "post_id": _arranges_posts,
    "holding_id": _arranges_posts,
    "client_id": _administers,
    "approval_id": _shares_power,
    "review_id": _shares_power,
    "check_id": _owns,
    "entry_id": _audits,
    "agency_id": _everyone,
    "post_id in a list": _everyone,  # who holds it is another matter
    "code": _everyone,
    "name": _everyone,
    "duty_id": _sees_duty("REP-07"),
    **{f"duty_id {rule}": _sees_duty(rule) for rule in ("VIS-01", "EDU-04", "REP-07")},
}
"""Whether what a parameter names, or a list shows, exists for a caller."""

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
    return not _protects(who, target)


def _neither_police_nor_place(who: Who, target: Target, gives: str | None) -> bool:
    return target.police != who.agency if who.kind == "police" else not _protects(who, target)


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
    **dict.fromkeys(
        ("tryPolicyValue", "startPolicyTrial"), lambda who, _, __: not _reads_categories(who)
    ),
    **dict.fromkeys(
        ("attachUnresolved", "takeBackUnresolved", "dismissUnresolved"),
        lambda who, target, _: not _settles(who, target) or who.holder == "machine",
    ),
    "proposeWithdrawal": lambda who, target, _: not _owns(who, target) or who.holder == "machine",
    "confirmWithdrawal": lambda who, _, __: (
        who.role not in _ANSWERS_FOR_ITS_PLACE or who.holder == "machine"
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
        "police_reports:receive" not in ROLES[who.role]["scopes"] or not _protects(who, target)
    ),
    "closeReport": lambda who, target, _: not _is_in_place(who, target) or who.holder == "machine",
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
        not _is_in_place(who, target)
        or who.holder == "machine"
        or (who.kind != "civil_affairs" and target.owner != who.agency)
    ),
    "answerReferral": lambda who, target, _: target.police != who.agency,
    "cancelReferral": lambda who, target, _: not _owns(who, target),
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
    **OFFICES,
    "registerClient": _more_than_own,
    # By nobody alone.
    **dict.fromkeys(("registerApp", "allowBearerTokens", "replaceClientKeys"), lambda *_: True),
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
