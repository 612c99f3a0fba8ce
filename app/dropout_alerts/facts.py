"""What the dropout register tells the file: out of school, from the first day missed until the
child is back (EDU-02; DEF-18).
"""

from typing import Final

from app.children import derivation
from app.children.told import Told
from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.dropout_alerts import events

_ALERT: Final = """
SELECT id, child_id, school_id, first_absent_day, registered_on, ended_on, end_reason
FROM dropout_alerts WHERE id = $1
"""
_NEVER_AWAY: Final = frozenset({"excused", "struck_off"})
"""Why an alert ended: it was no absence without leave after all."""


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.ChildRegistered,
            events.ChildReturned,
            events.AlertClosed,
            events.AlertAmended,
            events.AlertReopened,
            events.AlertHandedOver,
        )
    )
)
async def tell_file(tx: Tx, announced: spine.Announced) -> None:
    """Tell the file what the register says of the child now."""
    alert = await tx.connection.fetchrow(_ALERT, announced.subject_id)
    fact = None
    if alert["registered_on"] is not None and alert["end_reason"] not in _NEVER_AWAY:
        fact = Told(
            kind="out_of_school",
            since=alert["first_absent_day"],
            until=alert["ended_on"],
            source_id=alert["id"],
            stated_by=alert["school_id"],
        )
    await derivation.tell(tx, alert["child_id"], "out_of_school", alert["id"], fact)
