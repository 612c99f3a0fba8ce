"""A report is passed on to the police in charge, and is never in nobody's hands."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.data.db import Tx
from app.police_reports import events, jurisdiction
from app.police_reports.fetching import Report
from app.police_reports.models import State, Step
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.standing import deadlines, dispatch_due, had_by
from app.police_reports.operations.steps import Deed, Taken, redeliver, repeatable, take
from app.police_reports.schemas import steps as stated

_POLICE_FROM: Final = f"""
SELECT a.id FROM agencies t, agencies a
WHERE t.id = $1 AND a.active AND a.kind = 'police' AND a.id <> ALL ($2::uuid[])
  AND {jurisdiction.told_police("a.region_code", "$3::bigint")}
  AND (a.id = t.id OR (a.region_code IN ({jurisdiction.above("t.region_code")})
                       AND a.region_code <> t.region_code))
ORDER BY a.id = $1 DESC, a.region_code DESC, a.id LIMIT 20
"""


_UNKNOWN: Final = ReportInvalid.at(
    "#/police_agency_id", "agency_unknown", "Name another police agency."
)


@repeatable("forwardReport", Step.FORWARDED)
async def forward_report(
    tx: Tx, principal: Principal, report: Report, new: stated.Forwarding
) -> Taken:
    """Pass a report to the police agency in charge, which gets it as if just filed. The deadline to
    accept it starts again, but not for police who had it before and nobody accepted: passed to and
    fro it would never end. The journal keeps what was done before. If no endpoint of theirs takes
    it, the nearest above whose does is in charge, else it stays with who had it; they are told.
    """
    target = new.police_agency_id
    if target == principal.agency_id or not await jurisdiction.may_get(tx, report, target):
        raise _UNKNOWN
    afresh = deadlines(tx, report["region_code"])
    again = {**afresh, "acknowledge_due_at": report["acknowledge_due_at"]}
    had = {report["forwarded_by_id"], *report["former_police"]}
    for police in await _police_from(tx, report, target):
        if police == principal.agency_id:
            return await _stays(tx, principal, report, new)
        terms = again if police in had and report["acknowledged_at"] is None else afresh
        if await redeliver(tx, report, police, terms["acknowledge_due_at"]):
            break
    else:
        return await _stays(tx, principal, report, new)
    deed = Deed(
        Step.FORWARDED,
        new,
        events.ReportForwarded,
        facts={"police_agency_id": police, **_due(tx, report, terms, anew=terms is afresh)},
        codes={"police_agency_id": target},
        also_told=[target],
        changes={
            "police_agency_id": police,
            "also_told": [target] if police != target else [],
            "forwarded_by_id": principal.agency_id,
            "former_police": had_by(report, police, target, principal.agency_id),
            "routing": "routed",
            "state": State.FILED,
            "delivered_at": None,
            "acknowledged_at": None,
            "police_reference": None,
            "acknowledgement_alarmed_at": None,
            "delivery_alarmed_at": None,
            "relieved_at": None,  # what took its place has not reached these police
            **terms,
        },
    )
    return await take(tx, principal, report, deed)


def _due(
    tx: Tx, report: Mapping[str, Any], terms: Mapping[str, Any], *, anew: bool
) -> dict[str, Any]:
    """Return by when the police it is passed to accept it and go out; None: as those before."""
    to_go = dispatch_due(tx, report["region_code"]) if anew else None
    return {"acknowledge_due_at": terms["acknowledge_due_at"], "dispatch_due_at": to_go}


async def _stays(tx: Tx, principal: Principal, report: Report, new: stated.Forwarding) -> Taken:
    """Leave a report with who had it, and let those it was meant for do with it what they can."""
    told = {report["police_agency_id"], *report["also_told"], new.police_agency_id}
    stays = {"police_agency_id": principal.agency_id}
    due_at = report["acknowledge_due_at"]
    deed = Deed(
        Step.FORWARDED,
        new,
        events.ReportForwarded,
        facts={**stays, "acknowledge_due_at": due_at},
        codes={"police_agency_id": new.police_agency_id},
        also_told=[new.police_agency_id],
        changes={
            **stays,
            "also_told": sorted(told - {None, principal.agency_id}),
        },
    )
    return await take(tx, principal, report, deed)


async def _police_from(tx: Tx, report: Mapping[str, Any], agency_id: UUID) -> list[UUID]:
    """Return a police agency and those above its place, the nearest first."""
    rows = await tx.connection.fetch(
        _POLICE_FROM, agency_id, report["hidden_from"], report["police_below"]
    )
    return [row["id"] for row in rows]
