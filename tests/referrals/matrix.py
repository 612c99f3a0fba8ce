"""Referrals in the matrix."""

from collections.abc import Iterator

from app.core.data.db import Tx
from app.referrals.models import Referral
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[Referral]:
    yield Referral(
        **about,
        id=target.ids["referral_id"],
        from_id=target.owner,
        to_kind="police",
        to_id=target.police,
        waits=False,
        needs=["distress"],
        source="by_hand",
        source_id=None,
        told_to=None,
        opened_at=tx.now,
        opened_by="staff:test",
        due_at=tx.now,
        state="open",
        version=1,
    )


PART = Part(
    id="referral_id",
    asks=(
        Ask("openReferral", always({"to_kind": "hospital", "needs": ["ill"]})),
        Ask("listReferrals", shows=("referral_id",)),
        Ask("listChildReferrals"),
        Ask("readReferral"),
        Ask("answerReferral", always({"answer": "refused", "words": "合成记录"})),
        Ask("cancelReferral", always({"reason": "合成记录"})),
    ),
    rows=_rows,
    dated="opened_at",
)
