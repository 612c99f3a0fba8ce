"""Load the report a path names, or answer that there is none."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Depends, Path

from app.access.deps import authenticated
from app.access.principal import Principal
from app.core.http.routing import Transaction
from app.core.problems import Problem, raises
from app.police_reports import queries


class ReportNotFound(Problem):
    """No such report, or none the caller has a part in: the same answer (AZ-3, AZ-8)."""

    status = 404
    title = "No such report"
    title_zh = "没有这份报告"
    denies = True


_ReportId = Annotated[UUID, Path(description="The report's id.")]
_Caller = Annotated[Principal, Depends(authenticated)]


@raises(ReportNotFound)
async def _report_in_path(
    report_id: _ReportId, tx: Transaction, principal: _Caller
) -> asyncpg.Record:
    return await _found(tx, principal, report_id, lock=False)


@raises(ReportNotFound)
async def _report_to_change(
    report_id: _ReportId, tx: Transaction, principal: _Caller
) -> asyncpg.Record:
    return await _found(tx, principal, report_id, lock=True)


async def _found(
    tx: Transaction, principal: Principal, report_id: UUID, *, lock: bool
) -> asyncpg.Record:
    report = await queries.find(tx, principal, report_id, lock=lock)
    if report is None:
        raise ReportNotFound
    return report


ReportInPath = Annotated[asyncpg.Record, Depends(_report_in_path)]
"""The report named in the path, if the caller has a part in it; else 404."""

ReportToChange = Annotated[asyncpg.Record, Depends(_report_to_change)]
"""The same, locked until the change is committed: steps on one report take turns."""
