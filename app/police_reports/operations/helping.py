"""Who is asked to help the child of a report, by what was found and arranged (REP-16, REP-17)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from app.core.data.db import Tx
from app.police_reports import findings, rules
from app.police_reports.fetching import Report
from app.police_reports.models import Step
from app.police_reports.operations.telling import parties
from app.referrals.models import ReferralSource
from app.referrals.operations import opening

_POOR: Final = """
SELECT (welfare ->> 'poor')::boolean FROM children WHERE id = $1 AND home_county = $2
"""
_UNKNOWN: Final = "家庭经济状况未知,请核实。Whether the family is poor is not known: find out."


async def needed(tx: Tx, report: Report) -> list[opening.Asked]:
    """Return what is asked of agencies for the child of a report: by the services arranged, and by
    the assessment that counts last.
    """
    steps = await findings.steps(tx, report)
    told = await parties(tx, report)
    asked = [
        each
        for step in steps
        if step["step"] == Step.SERVICES_ARRANGED
        for each in await _by_services(tx, report, step, told)
    ]
    if assessed := [step for step in steps if step["step"] == Step.ASSESSED]:
        asked += await _by_assessment(tx, report, assessed[-1], told, asked)
    return asked


async def _by_services(
    tx: Tx, report: Report, step: Mapping[str, Any], told: Sequence[UUID]
) -> list[opening.Asked]:
    asked = []
    for place, service in enumerate(step["said"]["services"]):
        named = service.get("provider_agency_id")
        kind = await tx.connection.fetchval("SELECT kind FROM agencies WHERE id = $1", named)
        to, note = (kind, UUID(named) if named else None), None
        if named is None and service["kind"] == "social_assistance":
            to = ("civil_affairs", None)
        elif named is None:  # nobody of ours: who arranged it owes what comes of it
            to, note = (step["kind"], step["agency_id"]), service["provider"]
        about = rules.referral_of(step["id"], report["child_id"], place)
        asked.append(_service(report, step, told, about, to, service["kind"], note))
    return asked


async def _by_assessment(
    tx: Tx,
    report: Report,
    step: Mapping[str, Any],
    told: Sequence[UUID],
    arranged: Sequence[opening.Asked],
) -> list[opening.Asked]:
    said = step["said"]
    poor = said.get("hardship")
    if poor is None:
        child = (report["child_id"], report["child_county"])
        poor = await tx.connection.fetchval(_POOR, *child)
    needs = ["guardianship"] if said["guardianship"] == "absent" else []
    asked = [each.needs for each in arranged if each.to_kind == "civil_affairs"]
    if poor is not False and ["social_assistance"] not in asked:
        needs.append("social_assistance")
    about = f"{report['child_id']} assessed"
    return [
        _service(
            report,
            step,
            told,
            uuid5(report["id"], f"{about} {need}"),
            ("civil_affairs", None),
            need,
            _UNKNOWN if need == "social_assistance" and poor is None else None,
        )
        for need in needs
    ]


def _service(
    report: Report,
    step: Mapping[str, Any],
    told: Sequence[UUID],
    referral_id: UUID,
    to: tuple[str, UUID | None],
    need: str,
    note: str | None = None,
) -> opening.Asked:
    return opening.Asked(
        id=referral_id,
        from_id=step["agency_id"],
        to_kind=to[0],
        to_id=to[1],
        needs=[need],
        source=ReferralSource.service,
        source_id=report["id"],
        told_to=told,
        note=note,
    )
