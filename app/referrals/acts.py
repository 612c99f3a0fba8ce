"""What may be done with a referral, by operationId."""

from typing import Final

from app.access.acts import Act, own, stands
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


_WAITS: Final = stands(
    lambda *_: (ReferralState.open, ReferralState.accepted), lambda *_: ReferralEnded()
)

ACTS: Final = {
    "answerReferral": Act(WRITE.code, (own("to_id", NotReferredToYou), _WAITS)),
    "cancelReferral": Act(WRITE.code, (own("from_id", NotReferredByYou), _WAITS)),
}
