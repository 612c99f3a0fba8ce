"""How many learn nothing of a report because their ids stand in fields nobody knows, and that never
all police do: what a sender writes there hides no report from everybody (AZ-8, REP-07).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import structlog

from app.core.data.db import Tx
from app.police_reports import jurisdiction, models

MOST: Final = 20
"""Agencies that all that was said in a chain of corrections hides it from."""

log = structlog.get_logger(__name__)


async def bound(
    tx: Tx,
    report: models.PoliceReport,
    beside: Sequence[UUID],
    corrects: Mapping[str, Any] | None,
) -> None:
    """Let a report that comes in be hidden from the first MOST of its chain, of those `beside` that
    its unknown fields alone name, and from no last police that could take it. That it is not hidden
    from all it names is told in `doubts`, and in the log; whom it names stays in what was sent.
    """
    known = {*corrects["hidden_from"]} if corrects else set()
    new = [each for each in beside if each not in known]
    if not new:
        return
    room = max(MOST - len({*report.hidden_from}.difference(new)), 0)
    _show(report, new[room:])
    if not await _could_take(tx, report, corrects):
        shielded = report.hidden_from
        report.hidden_from = sorted({*shielded}.difference(new))
        last = (await _could_take(tx, report, corrects))[-1:]
        report.hidden_from = shielded
        _show(report, last)
    if shown := {*new}.difference(report.hidden_from):
        report.doubts = [*report.doubts, "not_all_shielded"]
        log.warning("police_reports.not_all_shielded", report=str(report.id), shown_to=len(shown))


async def _could_take(
    tx: Tx, report: models.PoliceReport, corrects: Mapping[str, Any] | None
) -> Sequence[UUID]:
    """Return the police who could take it, the last level last."""
    as_it_is = report.model_dump()
    _, told = await jurisdiction.had(tx, as_it_is, corrects)
    return told or (await jurisdiction.offices(tx, as_it_is)).police


def _show(report: models.PoliceReport, agencies: Collection[UUID]) -> None:
    """Take it that a report does not speak against some; a person may still say that it does."""
    report.hidden_from = [each for each in report.hidden_from if each not in agencies]
    report.meant = [each for each in report.meant if each not in agencies]
    if report.suspect_agency_id in agencies:
        report.suspect_agency_id = None
        report.doubts = [*report.doubts, "agency_unknown"]
