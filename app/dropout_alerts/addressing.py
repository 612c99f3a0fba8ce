"""Whoever is there now, an office registered since too, learns what it must of alerts (EDU-05)."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from app.audit import operations as audit
from app.core.data import sql
from app.core.data.db import Tx
from app.core.http.shown import Seen
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.dropout_alerts import events, models, operations, queries

_NOT_ADDRESSED: Final = """
SELECT a.id AS alert_id, office.id, office.kind
FROM dropout_alerts a JOIN agencies s ON s.id = a.school_id
CROSS JOIN LATERAL (
    (SELECT id, kind FROM agencies
     WHERE active AND kind = 'education' AND region_code = s.region_code / 1000000 * 1000000
     ORDER BY created_at, id LIMIT 1)
    UNION ALL
    (SELECT id, kind FROM agencies
     WHERE active AND kind = 'township_government' AND region_code = a.region_code / 1000 * 1000
         AND a.region_code % 1000000 >= 1000
     ORDER BY created_at, id LIMIT 1)
) AS office
WHERE a.id = ANY ($1::uuid[]) AND a.state IN ('written_report_sent', 'measures')
    AND office.id <> ALL (a.addressed)
ORDER BY a.id, office.kind
"""


async def address_as_well(tx: Tx, alerts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let what was written about locked alerts go, with receipts of their own, to the offices of
    where each child is at school and lives now; return those of which there were any. For the
    worker.
    """
    by_id = {alert["id"]: alert for alert in alerts}
    added: dict[UUID, list[UUID]] = {}
    for row in await tx.connection.fetch(_NOT_ADDRESSED, [*by_id]):
        alert = by_id[row["alert_id"]]
        place = ("home_county", "child_id", "region_code", "pupil_of", "school_id", "known_to")
        receipt = {name: alert[name] for name in place}
        receipt |= {"id": new_id(), "alert_id": alert["id"]}
        receipt |= {"agency_id": row["id"], "kind": row["kind"]}
        await sql.insert(tx.connection, "dropout_report_receipts", receipt)
        added.setdefault(alert["id"], []).append(row["id"])
    told: list[spine.Event] = []
    for alert_id, offices in added.items():
        alert = by_id[alert_id]
        alert["addressed"] = [*alert["addressed"], *offices]
        await tx.connection.execute(
            "UPDATE dropout_alerts SET addressed = $3, version = version + 1, updated_at = $4"
            " WHERE home_county = $1 AND id = $2",
            *(alert["home_county"], alert_id, alert["addressed"], tx.now),
        )
        await operations.spread(tx, alert)
        parties = tuple({*alert["addressed"], *alert["known_to"]})
        about = {**events.about(alert), "told_to": parties}
        told.append(events.WrittenReportAddressed(**about, addressees=tuple(offices)))
    await spine.publish(tx, *told)
    return [by_id[alert_id] for alert_id in added]


_SET: Final = 500
_OPEN: Final = f"""
SELECT id FROM dropout_alerts WHERE state NOT IN {models.DONE} AND id > $1 ORDER BY id LIMIT $2
"""
"""By `ix_dropout_alerts_open`."""
_LACKING: Final = f"""
SELECT a.*, s.education FROM dropout_alerts a
JOIN (SELECT s.id, {queries.EDUCATION} FROM agencies s) AS s ON s.id = a.school_id
WHERE a.id = ANY ($1::uuid[]) AND (s.education <> ALL (a.known_to)
    OR a.id IN (SELECT n.alert_id FROM ({_NOT_ADDRESSED}) AS n))
"""
_LACKING_IN: Final = f"SELECT DISTINCT home_county FROM ({_LACKING}) AS a ORDER BY 1"
_HELD: Final = f"{_LACKING} AND a.home_county = $2 ORDER BY a.id FOR UPDATE OF a SKIP LOCKED"
"""Alerts that an office does not know, or has not, that should: `education`, that of the school.
What another has in hand comes round again.
"""
_KNOW: Final = "UPDATE dropout_alerts SET known_to = $3 WHERE home_county = $1 AND id = $2"


async def address_later(tx: Tx, after: UUID) -> UUID | None:
    """Let offices that were registered since know of one set of open alerts, and have what was
    written; returns after which to go on, None at the end. In SYSTEM's reach.
    """
    rows = await tx.connection.fetch(_OPEN, after, _SET)
    ids = [row["id"] for row in rows]
    alerts = [
        dict(row)
        for county in await tx.connection.fetch(_LACKING_IN, ids)
        for row in await tx.connection.fetch(_HELD, ids, county["home_county"])
    ]
    for alert in alerts:
        if alert["education"] not in {None, *alert["known_to"]}:
            alert["known_to"] = [*alert["known_to"], alert["education"]]
            await tx.connection.execute(
                _KNOW, *(alert[name] for name in ("home_county", "id", "known_to"))
            )
            await operations.spread(tx, alert)
    await address_as_well(tx, alerts)
    await witness(tx, (alert["child_id"] for alert in alerts))
    return rows[-1]["id"] if len(rows) == _SET else None


async def witness(tx: Tx, children: Iterable[UUID]) -> None:
    """Write down that alerts on some children were weighed by themselves."""
    if seen := tuple(sorted(children)):
        await audit.record(tx, audit.SYSTEM, "dropout_alerts.reassess", Seen(seen, ("education",)))
