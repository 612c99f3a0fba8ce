"""What becomes of a confirmation by itself."""

from typing import Final

from app.children.events import ChildChanged
from app.confirmations.events import ChangeEntered
from app.core.data.db import Tx
from app.core.jobs import events

# By this change, not by those before it: each is told once.
_ENTERED: Final = """
WITH entered AS (
    SELECT n.id, n.differs, array_agg(DISTINCT s.section) AS all_of_it,
           coalesce(array_agg(DISTINCT s.section) FILTER (WHERE h.version < $3), '{}') AS before
    FROM confirmations n
    JOIN child_changes h ON h.home_county = n.home_county AND h.child_id = n.child_id
        AND h.at > n.received_at AND h.version <= $3
    CROSS JOIN LATERAL UNNEST(h.sections) AS s (section)
    WHERE n.home_county = $1 AND n.child_id = $2 AND n.differs <> '{}'
    GROUP BY n.home_county, n.id
)
SELECT id FROM entered WHERE differs <@ all_of_it AND NOT differs <@ before ORDER BY id
"""


@events.on(ChildChanged)
async def note_entered(tx: Tx, event: ChildChanged) -> None:
    """Tell of which confirmations all that was found otherwise is in the file now (REG-11)."""
    rows = await tx.connection.fetch(_ENTERED, event.home_county, event.subject_id, event.version)
    place = {"region_code": event.region_code, "home_county": event.home_county}
    news = [ChangeEntered(subject_id=row["id"], child_id=event.subject_id, **place) for row in rows]
    await events.publish(tx, *news)
