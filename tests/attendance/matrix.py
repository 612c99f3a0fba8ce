"""Doubts about who was there, in the matrix."""

from collections.abc import Iterator
from datetime import date

from app.attendance.models import PresenceDoubt
from app.core.data.db import Tx
from tests.matrix.facts import Target
from tests.matrix.parts import Ask, Json, Part, always


def _rows(tx: Tx, target: Target, about: Json) -> Iterator[PresenceDoubt]:
    yield PresenceDoubt(
        **about,
        id=target.ids["doubt_id"],
        school_id=target.school,
        school_day=date(2026, 11, 18),
        seen_by_id=target.police,
        opened_at=tx.now,
    )


PART = Part(
    id="doubt_id",
    asks=(
        Ask("listPresenceDoubts", shows=("doubt_id",)),
        Ask("recordPresenceFinding", always({"finding": "here", "note": "合成记录"})),
    ),
    rows=_rows,
    dated="school_day",
)
