"""How far behind the sealing of the audit is, and its witnesses."""

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge
from app.sealing import standing
from app.sealing.events import Trouble


@gauge(
    "tonghu_audit_unsealed_seconds",
    "Age of the oldest entry of the audit that is not sealed; 0: all are.",
)
async def lag(tx: Tx) -> list[Sample]:
    since = (await standing.standing(tx.connection)).waits_since
    return [((), (tx.now - since).total_seconds() if since else 0.0)]


@gauge("tonghu_audit_sealed_rows", "Entries of the audit that are sealed.")
async def sealed(tx: Tx) -> list[Sample]:
    return [((), (await standing.standing(tx.connection)).sealed)]


@gauge(
    "tonghu_audit_signed_rows",
    "Entries that the newest checkpoint is signed for.",
)
async def signed(tx: Tx) -> list[Sample]:
    return [((), (await standing.standing(tx.connection)).signed)]


@gauge(
    "tonghu_audit_witness_behind_rows",
    "Entries by which what a witness countersigned is behind the newest checkpoint.",
    "witness",
)
async def behind(tx: Tx) -> list[Sample]:
    held = (await standing.standing(tx.connection)).witnesses
    return [((str(each.witness_id),), each.behind) for each in held]


@gauge("tonghu_audit_trouble", "1 if the sealing is in this trouble.", "trouble")
async def trouble(tx: Tx) -> list[Sample]:
    found = {*(await standing.standing(tx.connection)).troubles(tx.now)}
    return [((str(each),), float(each in found)) for each in Trouble]
