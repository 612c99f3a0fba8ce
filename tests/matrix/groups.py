"""Callers among whom nothing differs that an operation reads: one of each group is asked.

A role is told apart by what its data says, never by its name alone, but where a name is what the
rules go by. Who changes `roles.yaml`, or lets an operation look at something more, finds the roles
asked anew: what an operation looks at besides what all do is in `LOOKS_AT`.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, get_args

from tests.matrix.described import Operation
from tests.matrix.expectation import DUTIES, ROLES
from tests.matrix.facts import Holder
from tests.matrix.parts import Ask

Caller = tuple[str, Holder]
Role = Mapping[str, Any]
Respect = Callable[[str, Role, Holder], object]

CALLERS: tuple[Caller, ...] = tuple(
    (role, holder)
    for role, data in ROLES.items()
    for holder in get_args(Holder)
    if holder in data["for"]
)
"""Every role as everyone who may hold it."""

PARTS = frozenset({"school", "police", "education", "township_government", "village_committee"})
"""Kinds of agency that have a part in a case of their own; see `stage.py`."""

APART = frozenset({"operator", "civil_affairs", "auditor"})
"""Roles that rules know by name: who administers, who fills posts, who audits."""


OFFICES = frozenset({"township_supervisor", "civil_affairs", "education_authority"})
"""Roles known by name to the queue of what cannot be placed."""


def level(data: Role) -> str:
    """Where a caller of the stage stands."""
    return "township" if "township" in data["levels"] else str(data["levels"][0])


def _by_name(role: str, _: Role, __: Holder) -> object:
    return role if role in APART else None


def _police_scopes(_: str, data: Role, __: Holder) -> object:
    return {"police_reports:handle", "police_reports:receive"} & {*data["scopes"]}


def _sections(_: str, data: Role, __: Holder) -> object:
    return {*data["reads"]}, {*data["writes"]}


def _all_scopes(_: str, data: Role, __: Holder) -> object:
    return {*data["scopes"]}


def _duties(role: str, _: Role, __: Holder) -> object:
    return {rule for rule, duty in DUTIES.items() if role in duty["seen_by"]}


def _owner_of_unresolved(role: str, _: Role, __: Holder) -> object:
    return role if role in OFFICES else None


def _looks_after(_: str, data: Role, __: Holder) -> object:
    return "visits:read" in data["scopes"]


def _holder(_: str, __: Role, holder: Holder) -> object:
    return holder


def _kind(_: str, data: Role, __: Holder) -> object:
    return min(data["agency_kinds"])


LOOKS_AT: Mapping[str, tuple[Respect, ...]] = {
    **dict.fromkeys(
        (
            *("breakGlass", "readBreakGlassFile", "endBreakGlass", "reviewBreakGlass"),
            *("listBreakGlass", "readBreakGlass", "listReadingAlarms"),
        ),
        (_by_name, _holder),
    ),
    "lookElsewhere": (_kind,),
    **dict.fromkeys(
        (
            *("createAgency", "listPosts", "addPost", "listHolders", "holdPost", "leavePost"),
            *("handOverPost", "changePost", "closePost", "readOpenBusiness"),
            *("changeAgency", "closeAgency", "mergeAgency", "listAgencies", "readAgency"),
            *("listClients", "registerApp", "replaceClientKeys", "suspendClient", "resumeClient"),
            *("allowBearerTokens", "endBearerTokens"),
            *("listApprovals", "readApproval", "withdrawApproval", "listReviews", "readReview"),
            "listAuditEntries",
        ),
        (_by_name,),
    ),
    **dict.fromkeys(
        (
            *("listStaff", "readStaff", "createStaff", "inviteStaff", "resetPassword"),
            *("resetSecondFactor", "suspendStaff", "resumeStaff", "endStaff"),
            *("listSignIns", "endSignIns", "inviteDevice", "listDevices", "revokeDevice"),
        ),
        (_by_name, _holder),
    ),
    **dict.fromkeys(("listMySignIns", "endMySignIns"), (_holder,)),
    "registerClient": (_by_name, _all_scopes),
    **dict.fromkeys(
        (
            *("listHiringChecks", "readHiringCheck", "askHiringCheck", "answerHiringCheck"),
            *("recordNotClear", "listStaffNearChildren"),
        ),
        (_by_name, _holder),
    ),
    "readReporterAlone": (_holder,),
    **dict.fromkeys(
        ("proposeApproval", "decideApproval", "finishReview"), (_by_name, _holder, _all_scopes)
    ),
    **dict.fromkeys(("registerWebhookEndpoint", "changeWebhookEndpoint"), (_all_scopes,)),
    **dict.fromkeys(
        ("closeWebhookDelivery", "recordReturn", "settleDoubt", "recordPresenceFinding"), (_holder,)
    ),
    **dict.fromkeys(
        (*("readUnresolved", "answerUnresolved", "listUnresolved"),),
        (_owner_of_unresolved,),
    ),
    "proposeWithdrawal": (_holder,),
    **dict.fromkeys(
        ("listReferrals", "readReferral", "answerReferral", "cancelReferral"), (_looks_after,)
    ),
    **dict.fromkeys(
        (
            *("attachUnresolved", "correctUnresolved", "takeBackUnresolved"),
            *("dismissUnresolved", "confirmWithdrawal"),
        ),
        (_owner_of_unresolved, _holder),
    ),
    **dict.fromkeys(
        (
            *("createChild", "listChildren", "searchChildren", "readChild", "changeChild"),
            *("partitionChildren", "readChildHistory"),
        ),
        (_sections,),
    ),
    **dict.fromkeys(
        (
            *("listDuties", "partitionDuties", "summariseDuties", "readDuty"),
            *("proposeWaiver", "approveWaiver", "withdrawWaiver"),
        ),
        (_duties,),
    ),
}
"""What an operation reads of a role besides relation, level, part, purposes and scopes held."""


def group(operation: Operation, caller: Caller, roles: Mapping[str, Role] = ROLES) -> str:
    """Name the group that a caller belongs to when this operation is asked."""
    role, holder = caller
    data = roles[role]
    if operation.scope not in data["scopes"]:
        return "scope missing"
    if operation.needs_purpose and not data["purposes"]:
        return "no purpose"
    looks_at: tuple[Respect, ...] = LOOKS_AT.get(operation.id, ())
    if operation.scope.startswith(("police_reports:", "reporters:")):
        looks_at = (*looks_at, _police_scopes)
    kind = min(data["agency_kinds"])
    respects = (
        data["relation"],
        level(data),
        kind if kind in PARTS else None,
        *(look(role, data, holder) for look in looks_at),
    )
    return "; ".join(_told(each) for each in respects)


def _told(respect: object) -> str:
    if isinstance(respect, set | frozenset):
        return " ".join(sorted(map(str, respect)))
    if isinstance(respect, tuple):
        return ", ".join(map(_told, respect))
    return str(respect)


def first_of_each(callers: Iterable[Caller], named: Callable[[Caller], str]) -> frozenset[Caller]:
    """One caller of each group."""
    first: dict[str, Caller] = {}
    for caller in callers:
        first.setdefault(named(caller), caller)
    return frozenset(first.values())


@cache
def askers(operation: Operation) -> frozenset[Caller]:
    """Who asks this operation."""
    return first_of_each(CALLERS, lambda caller: group(operation, caller))


def asked_by(
    asks: Iterable[Ask], described: Mapping[str, Operation], caller: Caller
) -> list[tuple[Operation, Ask]]:
    """What this caller asks for their group."""
    pairs = ((described[each.operation], each) for each in asks)
    return [(operation, each) for operation, each in pairs if caller in askers(operation)]
