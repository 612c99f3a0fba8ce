"""Who decides, withdraws and reviews, and the problems of it."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from app.access.acts import Act, Condition, another_person, personally, unset
from app.access.approvals.models import ApprovalState
from app.access.area import WRITE_APPROVALS
from app.core.problems import Problem


class ApprovalNotFound(Problem, status=404, denies=True):
    """There is no such approval, or none that the caller has a part in."""

    title = "No such approval"
    title_zh = "没有这项审批"


class ReviewNotFound(Problem, status=404, denies=True):
    """There is no such review, or none that the caller has a part in."""

    title = "No such review"
    title_zh = "没有这项复核"


class NotYoursToDecide(Problem, status=403, denies=True):
    """Whoever decides could do the same: in the same role, over the same object."""

    title = "Somebody who could do the same over the same object decides"
    title_zh = "须由对同一对象具有相同权限的人员决定"


class AnotherPersonNeeded(Problem, status=403, denies=True):
    """Nobody approves or reviews what they did themselves, by whichever account (AZ-11)."""

    title = "Another person than who did or proposed it"
    title_zh = "须由提出人(办理人)以外的另一人办理"


class NotYoursToWithdraw(Problem, status=403, denies=True):
    """Who proposed or approved it withdraws it."""

    title = "Others proposed and approved this"
    title_zh = "该审批由他人提出、他人批准"


class ApprovalClosed(Problem, status=409):
    """It was decided, withdrawn or used, or its time is over."""

    title = "This was decided, withdrawn or used, or has expired"
    title_zh = "该审批已决定、撤回、使用或过期"


class ReviewDone(Problem, status=409):
    """Somebody has looked at it already."""

    title = "This was reviewed already"
    title_zh = "该事项已复核"


class NotGuarded(Problem, status=422):
    """No approval is needed for this, or there is no such operation."""

    title = "This operation takes no approval; send the request itself"
    title_zh = "该操作无须审批,请直接发送请求"


class NotYoursToPropose(Problem, status=403, denies=True):
    """Nobody proposes what they may not do."""

    title = "The operation would refuse you this"
    title_zh = "您无权办理该操作"


class ProposalUnsound(Problem, status=422):
    """It was tried, and could not be done."""

    title = "The operation would refuse this as it stands"
    title_zh = "该操作按当前内容无法办理"


class ApprovalUnusable(Problem, status=403, denies=True):
    """The approval named is not one for this request, by this person, now."""

    title = "The approval named does not let this request through"
    title_zh = "所附审批不适用于该请求"


_SAME_ROLE: Final = Condition(
    ("role", "scope"),
    lambda principal, _: [principal.role.code, *sorted(principal.scopes)],
    lambda role, scope, wanted: role == wanted[0] and scope in wanted[1:],
    "({0} = ({wanted}::text[])[1] AND {1} = ANY (({wanted}::text[])[2:]))",
    lambda *_: NotYoursToDecide(),
)
_OVER_IT: Final = Condition(
    ("agency_id", "region_code"),
    lambda principal, _: [
        *map(str, (principal.agency_id, principal.region_lo, principal.region_hi))
    ],
    lambda agency, region, wanted: (
        str(agency) == wanted[0] if region is None else int(wanted[1]) <= region < int(wanted[2])
    ),
    "(CASE WHEN {1} IS NULL THEN {0}::text = ({wanted}::text[])[1]"
    " ELSE {1} >= ({wanted}::text[])[2]::bigint AND {1} < ({wanted}::text[])[3]::bigint END)",
    lambda *_: NotYoursToDecide(),
)
_OF_THE_TWO: Final = Condition(
    ("agency_id", "proposed_by", "decided_in", "decided_by"),
    lambda principal, _: [*map(str, (principal.agency_id, *principal.selves))],
    lambda agency, proposer, office, decider, wanted: any(
        str(at) == wanted[0] and str(who) in wanted[1:]
        for at, who in ((agency, proposer), (office, decider))
    ),
    "(({0}::text = ({wanted}::text[])[1] AND {1}::text = ANY (({wanted}::text[])[2:]))"
    " OR ({2}::text = ({wanted}::text[])[1] AND {3}::text = ANY (({wanted}::text[])[2:])))",
    lambda *_: NotYoursToWithdraw(),
)
# In a list by the columns themselves, of which the planner knows how many rows they let through.
_OPEN: Final = Condition(
    ("state", "verdict", "withdrawn_at", "expires_at"),
    lambda *_: [ApprovalState.proposed],
    lambda state, _, __, ___, wanted: state in wanted,
    "({wanted}::text[] IS NOT NULL AND {1} IS NULL AND {2} IS NULL"
    " AND {3} > statement_timestamp())",
    lambda *_: ApprovalClosed(),
)
_UNUSED: Final = Condition(
    ("state", "verdict", "withdrawn_at", "expires_at", "used_at"),
    lambda *_: [ApprovalState.proposed, ApprovalState.approved],
    lambda state, _, __, ___, ____, wanted: state in wanted,
    "({wanted}::text[] IS NOT NULL AND {1} IS DISTINCT FROM 'refused' AND {2} IS NULL"
    " AND {3} > statement_timestamp() AND {4} IS NULL)",
    lambda *_: ApprovalClosed(),
)
_OWED: Final = unset("finding", ReviewDone)
_COULD_DO_IT: Final = (personally("id"), _SAME_ROLE, _OVER_IT)

ACTS: Final[Mapping[str, Act]] = {
    "decideApproval": Act(
        WRITE_APPROVALS.code,
        (*_COULD_DO_IT, another_person("proposed_by", AnotherPersonNeeded), _OPEN),
    ),
    "withdrawApproval": Act(WRITE_APPROVALS.code, (_OF_THE_TWO, _UNUSED)),
}
"""What may be done with an approval, by operationId."""

REVIEW_ACTS: Final[Mapping[str, Act]] = {
    "finishReview": Act(
        WRITE_APPROVALS.code,
        (*_COULD_DO_IT, another_person("done_by", AnotherPersonNeeded), _OWED),
    ),
}
"""What may be done with a review, by operationId."""


WHY_UNUSABLE: Final = {
    "approval_unknown": "You proposed none of this id.",
    "approval_for_another_request": "It is for another operation, path or body: send that very one,"
    " or propose this one.",
    "approval_proposed": "Nobody has decided on it yet.",
    "approval_refused": "It was refused.",
    "approval_withdrawn": "It was withdrawn: propose it anew.",
    "approval_used": "It was used: each counts once. If you never saw the answer, look whether it"
    " was done before you propose it anew.",
    "approval_expired": "Its time is over: propose it anew.",
    "approver_left": "Who approved it no longer counts as a second person, or you hold another post"
    " than you proposed it in: propose it anew.",
}
"""What a code of `why_unusable` says to a person."""


def why_unusable(
    row: Mapping[str, Any] | None, operation: str, fingerprints: Collection[bytes]
) -> str:
    """Say in a code why an approval of the caller's lets a request not through."""
    if row is None:
        return "approval_unknown"
    if row["operation"] != operation or row["fingerprint"] not in fingerprints:
        return "approval_for_another_request"
    if row["state"] != ApprovalState.approved:
        return f"approval_{row['state']}"
    return "approver_left"
