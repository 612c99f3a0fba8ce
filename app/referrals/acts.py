"""What may be done with a referral, by operationId."""

from typing import Final

from app.access.acts import Act, Condition, own, personally, stands
from app.core.problems import Problem
from app.referrals.area import WRITE
from app.referrals.models import ReferralState


class NotReferredToYou(Problem, status=403, denies=True):
    """Whom a child was referred to answers."""

    title = "This was referred to another agency"
    title_zh = "该转介由其他机构答复"


class NotReferredByYou(Problem, status=403, denies=True):
    """Who referred a child takes it back."""

    title = "Another agency referred this"
    title_zh = "该转介由其他机构发起"


class ReferralEnded(Problem, status=409):
    """It has its answer, or was taken back."""

    title = "This was answered or taken back"
    title_zh = "该转介已答复或撤销"


class NotTakenBackHere(Problem, status=409):
    """What a visit found is taken back with the finding, by two; what was arranged after a report
    and taken on, not at all.
    """

    title = "This goes with what it came of, or was taken on"
    title_zh = "该转介随其来源撤销,或已被接受"


_TAKEN_BACK: Final = Condition(
    ("source", "state"),
    lambda *_: ["by_hand open", "by_hand accepted", "service open"],
    lambda source, state, wanted: f"{source} {state}" in wanted,
    "({0} || ' ' || {1}) = ANY ({wanted}::text[])",
    lambda *_: NotTakenBackHere(),
)
_WAITS: Final = stands(
    lambda *_: (ReferralState.open, ReferralState.accepted), lambda *_: ReferralEnded()
)

ACTS: Final = {
    "answerReferral": Act(WRITE.code, (own("to_id", NotReferredToYou), _WAITS)),
    "cancelReferral": Act(
        WRITE.code,
        (own("from_id", NotReferredByYou), personally("from_id"), _WAITS, _TAKEN_BACK),
    ),
}
