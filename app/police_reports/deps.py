"""Load the report a path names, or answer that there is none; who may do what with reports."""

from typing import Annotated

import asyncpg

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.core.problems import Problem
from app.police_reports import queries
from app.police_reports.area import FILE, HANDLE, READ, READ_REPORTERS, RECEIVE

FilesReports = Annotated[Principal, needs(FILE)]
ReadsReports = Annotated[Principal, needs(READ)]
HandlesReports = Annotated[Principal, needs(HANDLE)]
ReceivesReports = Annotated[Principal, needs(RECEIVE)]
ReadsReporters = Annotated[Principal, needs(READ_REPORTERS)]


class ReportNotFound(Problem, status=404, denies=True):
    """No such report, or none the caller has a part in: the same answer (AZ-3, AZ-8)."""

    title = "No such report"
    title_zh = "没有这份报告"


_ID = ("report_id", "The report's id.")

ReportInPath = Annotated[asyncpg.Record, named_in_path(*_ID, queries.find, ReportNotFound)]
"""The report named in the path, if the caller has a part in it; else 404."""

ReportToChange = Annotated[
    asyncpg.Record, named_in_path(*_ID, queries.find, ReportNotFound, lock=True)
]
"""The same, locked until the change is committed: steps on one report take turns."""
