"""How far behind the sealing of the audit is, and its witnesses: five figures of one reading."""

from collections.abc import Iterator
from datetime import datetime

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge_of
from app.sealing import standing
from app.sealing.events import Trouble
from app.sealing.standing import Standing


async def _standing(tx: Tx) -> tuple[Standing, datetime]:
    return await standing.standing(tx.connection), tx.now


@gauge_of(
    _standing,
    "tonghu_audit_unsealed_seconds",
    "Age of the oldest entry of the audit that is not sealed; 0: all are.",
)
def _lag(found: tuple[Standing, datetime]) -> Iterator[Sample]:
    since, now = found[0].waits_since, found[1]
    yield (), (now - since).total_seconds() if since else 0.0


@gauge_of(_standing, "tonghu_audit_sealed_rows", "Entries of the audit that are sealed.")
def _sealed(found: tuple[Standing, datetime]) -> Iterator[Sample]:
    yield (), found[0].sealed


@gauge_of(
    _standing,
    "tonghu_audit_signed_rows",
    "Entries that the newest checkpoint is signed for.",
)
def _signed(found: tuple[Standing, datetime]) -> Iterator[Sample]:
    yield (), found[0].signed


@gauge_of(
    _standing,
    "tonghu_audit_witness_behind_rows",
    "Entries by which what a witness countersigned is behind the newest checkpoint.",
    "witness",
)
def _behind(found: tuple[Standing, datetime]) -> Iterator[Sample]:
    for each in found[0].witnesses:
        yield (str(each.witness_id),), each.behind


@gauge_of(_standing, "tonghu_audit_trouble", "1 if the sealing is in this trouble.", "trouble")
def _trouble(found: tuple[Standing, datetime]) -> Iterator[Sample]:
    troubles = {*found[0].troubles(found[1])}
    for each in Trouble:
        yield (str(each),), float(each in troubles)
