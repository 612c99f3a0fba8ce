"""Whom a caller must be shown to exist, worked out anew (AZ-3, AZ-8)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.matrix.data import DUTIES, ROLES, inside, remit
from tests.matrix.facts import Target, Who
from tests.matrix.found import PARTS
from tests.matrix.people import looks_after_people


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
    part = protects(who, target) or target.reporter == who.agency
    return part and not _hidden(who, target)


def _accused(who: Who, target: Target) -> bool:
    return who.agency in {target.suspect, target.accused_before}


def _hidden(who: Who, target: Target) -> bool:
    """From whom it speaks against, and, while its words may mean anybody, from who is below the
    county and did not say them.
    """
    meant = target.unclear_whom and len(remit(who.region)) < 10**6
    return _accused(who, target) or (meant and target.reporter != who.agency)


def protects(who: Who, target: Target) -> bool:
    """The offices of the place, of the child's home, and of where it lived when it happened."""
    places = (target.scene, target.region, target.before)
    return "police_reports:receive" in ROLES[who.role]["scopes"] and any(
        place is not None and inside(who, place) for place in places
    )


def is_in_place(who: Who, target: Target) -> bool:
    """Whoever ends a case is of where it happened or of where the child lives now."""
    return protects(who, replace(target, before=None))


ANSWERS_FOR_ITS_PLACE = {"township_supervisor", "civil_affairs"}


def settles(who: Who, target: Target) -> bool:
    """Whose place a visit is sent from says whom it was paid to."""
    return who.role in ANSWERS_FOR_ITS_PLACE and inside(who, target.region)


def _sees_unresolved(who: Who, target: Target) -> bool:
    """Offices see what their places sent, unless it is about a report that they must learn nothing
    of; all others what their own agency did.
    """
    if who.role in {*ANSWERS_FOR_ITS_PLACE, "education_authority"}:
        return settles(who, target) and not _hidden(who, target)
    return owns(who, target)


def owns(who: Who, target: Target) -> bool:
    return target.owner == who.agency


def _arranges_posts(who: Who, target: Target) -> bool:
    return owns(who, target) or inside(who, target.owner_region)


def _administers(who: Who, target: Target) -> bool:
    return owns(who, target) or who.role == "operator"


def _shares_power(who: Who, target: Target) -> bool:
    """The agency of who proposed it, the one it concerns (the police of the target), and civil
    affairs of the place, as whom it was proposed.
    """
    theirs = owns(who, target) or target.police == who.agency
    may_decide = who.role == "civil_affairs" and inside(who, target.region)
    return (theirs or may_decide) and not _hidden(who, target)


def _nobodys(who: Who, target: Target) -> bool:
    """A sign-in that is not the caller's."""
    return False


def _everyone(who: Who, target: Target) -> bool:
    return True


def _audits(who: Who, target: Target) -> bool:
    """The entry is about the report."""
    return not _hidden(who, target) and (
        owns(who, target) or (who.role == "auditor" and inside(who, target.region))
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


def reads_categories(who: Who) -> bool:
    return {"derived", "residence"} <= set(ROLES[who.role]["reads"])


def _sees_trial(who: Who, target: Target) -> bool:
    return owns(who, target) and inside(who, target.region) and reads_categories(who)


def _looks_after(who: Who, target: Target) -> bool:
    """What one's own agency did, and what others did for a child of one's region."""
    cares = ROLES[who.role]["relation"] == "region" and inside(who, target.region)
    return owns(who, target) or cares


def _sees_opened(who: Who, target: Target) -> bool:
    return _looks_after(who, target) or (who.role == "auditor" and inside(who, target.region))


def _may_know(who: Who, target: Target) -> bool:
    """Nobody opens a file in an emergency of a child about whom a report speaks against them, or
    may; who sees it anyway is told so, and a system is no person.
    """
    meant = target.unclear_whom and len(remit(who.region)) < 10**6
    kept = _accused(who, target) or meant
    return who.holder == "machine" or sees_child(who, target) or not kept


def _sees_alarm(who: Who, target: Target) -> bool:
    supervises = who.role in {"auditor", "civil_affairs"}
    return owns(who, target) or (supervises and inside(who, target.region))


VISIBLE: Mapping[str, Callable[[Who, Target], bool]] = {
    "child_id": sees_child,
    **{part.id: sees_child for part in PARTS},
    "referral_id": sees_referral,
    "glass_id": _sees_opened,
    "look_id": _looks_after,
    "child_id to open": _may_know,
    "tally_id": _sees_alarm,
    "alert_id": sees_alert,
    "report_id": sees_report,
    "batch_id": owns,
    "trial_id": _sees_trial,
    "unresolved_id": _sees_unresolved,
    "endpoint_id": owns,
    "delivery_id": owns,
    "post_id": _arranges_posts,
    "holding_id": _arranges_posts,
    "staff_id": looks_after_people,
    "device_id": looks_after_people,
    "sign_in_id": _nobodys,
    "client_id": _administers,
    "approval_id": _shares_power,
    "review_id": _shares_power,
    "entry_id": _audits,
    "check_id": owns,
    "breach_id": lambda who, target: owns(who, target) or inside(who, target.region),
    "checkpoint_id": _nobodys,  # only the sealer makes them
    "witness_id": _everyone,
    "agency_id": _everyone,
    "post_id in a list": _everyone,  # who holds it is another matter
    "code": _everyone,
    "name": _everyone,
    "duty_id": _sees_duty("REP-07"),
    **{f"duty_id {rule}": _sees_duty(rule) for rule in ("VIS-01", "EDU-04", "REP-07")},
}
"""Whether what a parameter names, or a list shows, exists for a caller."""
