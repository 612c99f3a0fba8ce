"""A report whose place meant nothing when it came is brought there once the place is known."""

from typing import Final
from uuid import UUID

from app.core.data.db import Tx
from app.police_reports import fetching
from app.police_reports.fetching import COLUMNS
from app.police_reports.operations.claims import code_in, unsealed
from app.police_reports.operations.standing import change
from app.police_reports.operations.unknown_child import keep_asked
from app.regions import queries as regions
from app.regions.rules import lineage

_AT_A_TIME: Final = 200

# Of the reports nobody has taken (`ix_police_reports_unrouted`), those that stand at what was then
# the nearest known place: that of now is none of them.
_UNPLACED: Final = f"""
SELECT {COLUMNS} FROM police_reports r
WHERE routing <> 'routed' AND acknowledged_at IS NULL AND relieved_at IS NULL
  AND superseded_by_id IS NULL AND region_code = ANY ($1::bigint[])
  AND 'place_unknown' = ANY (doubts) AND as_sent_sealed IS NOT NULL AND id > $2
ORDER BY id LIMIT $3 FOR UPDATE OF r
"""


async def place_again(tx: Tx, lo: int, hi: int, after: UUID) -> UUID | None:
    """Bring the next reports that wait, and name a code of [`lo`, `hi`), to the place it means by
    now; return the last looked at, None if there are no more. Who has a report keeps it.
    """
    above = set(lineage(lo)[1:])
    above |= set((await regions.current_of(tx, above, tx.today)).values())
    rows = await fetching.reports(tx, _UNPLACED, [*above], after, _AT_A_TIME)
    for report in rows:
        said = code_in(unsealed(tx, report).get("region_code"))
        if said is None or not lo <= said[0] < hi:
            continue
        place, exact = await regions.nearest(tx, said[0], tx.today) or (lo, False)
        doubts = [each for each in report["doubts"] if each != "place_unknown"]
        known = {"doubts": doubts} if exact and said[1] else {}
        await change(tx, report["id"], region_code=place, **known)
        await keep_asked(tx, report["id"], anew=True)
    return rows[-1]["id"] if len(rows) == _AT_A_TIME else None
