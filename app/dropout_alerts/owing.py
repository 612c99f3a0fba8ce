"""Who was written to owes what they do about it, each for themselves, and whoever orders that the
child is back by a day owes that it is (EDU-07); and when a school owes a report at once (EDU-06).
"""

from datetime import timedelta
from typing import Final

from app.core.clock import beginning
from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.dropout_alerts import events, models, queries
from app.dropout_alerts.acts import report_at_once

_RECEIPTS: Final = f"""
SELECT r.id AS subject_id, r.home_county, a.opened_in AS region_code, r.child_id, r.alert_id,
       r.agency_id, a.state IN {models.DONE} AS done, coalesce((
           SELECT bool_and(cardinality({queries.UNSAID}) = 0) FROM dropout_measures m
           WHERE m.alert_id = r.alert_id AND m.agency_id = r.agency_id), false) AS acted
FROM dropout_report_receipts r JOIN dropout_alerts a ON a.id = r.alert_id
WHERE r.alert_id = $1 ORDER BY r.id
"""


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.WrittenReportSent,
            events.WrittenReportAddressed,
            events.MeasureOrdered,
            events.ChildReturned,
            events.AlertClosed,
            events.AlertReopened,
        )
    )
)
async def tell_addressees(tx: Tx, announced: spine.Announced) -> None:
    """Announce of each addressee what it owes now: to act, and of an order its number and day. Said
    again, it opens nothing anew.
    """
    said: list[spine.Event] = []
    for row in await tx.connection.fetch(_RECEIPTS, announced.subject_id):
        about = {name: row[name] for name in ("subject_id", "home_county", "region_code")}
        about |= {name: row[name] for name in ("child_id", "alert_id", "agency_id")}
        if row["acted"]:
            said.append(events.AnswerGiven(**about))
        elif row["done"]:
            said.append(events.AnswerNotOwed(**about))
        else:
            again = announced.wire_name == events.AlertReopened.wire_name
            said.append((events.AnswerOwedAgain if again else events.AnswerOwed)(**about))
    await spine.publish(tx, *said)


_ALERT: Final = f"""
SELECT a.*, s.region_code AS stands_in FROM dropout_alerts a JOIN agencies s ON s.id = a.school_id
WHERE a.id = $1 AND a.state NOT IN {models.DONE} AND cardinality(a.addressed) = 0
"""


@spine.on_wire_names(
    *(kind.wire_name for kind in (events.AlertOpened, events.AlertHandedOver, events.AlertReopened))
)
async def tell_school(tx: Tx, announced: spine.Announced) -> None:
    """Announce whether the school owes a written report at once, as where it stands (EDU-06)."""
    alert = await tx.connection.fetchrow(_ALERT, announced.subject_id)
    if alert is None:
        return
    if report_at_once(alert["stands_in"], tx.today):
        await spine.publish(tx, events.WrittenReportOwed(**events.about(alert)))
    elif announced.wire_name == events.AlertHandedOver.wire_name:
        await spine.publish(tx, events.WrittenReportNotOwed(**events.about(alert)))


_ORDERS: Final = """
SELECT m.id AS subject_id, m.home_county, a.opened_in AS region_code, m.child_id, m.alert_id,
       m.agency_id, m.back_by, a.state
FROM dropout_measures m JOIN dropout_alerts a ON a.id = m.alert_id
WHERE m.alert_id = $1 AND m.back_by IS NOT NULL ORDER BY m.id
"""


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.MeasureOrdered,
            events.ChildReturned,
            events.AlertClosed,
            events.AlertReopened,
        )
    )
)
async def tell_who_ordered(tx: Tx, announced: spine.Announced) -> None:
    """Announce of each order with a day whether the child is back. Said again, it changes nothing
    but what a return that was none had ended.
    """
    said: list[spine.Event] = []
    for row in await tx.connection.fetch(_ORDERS, announced.subject_id):
        about = {name: row[name] for name in ("subject_id", "home_county", "region_code")}
        about |= {name: row[name] for name in ("child_id", "alert_id", "agency_id")}
        match row["state"]:
            case "returned":
                said.append(events.BackAsOrdered(**about))
            case "closed":
                said.append(events.OrderVoid(**about))
            case _:
                due_at = beginning(row["back_by"] + timedelta(days=1))
                said.append(events.BackOrdered(**about, due_at=due_at))
    await spine.publish(tx, *said)
