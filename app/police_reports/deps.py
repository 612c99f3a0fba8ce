"""Who may call, and the report that the path names: to read, or held until its change is stored."""

from typing import Annotated, Any

import asyncpg

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.core.problems import Problem
from app.police_reports import queries
from app.police_reports.area import FILE, HANDLE, MATCH, READ, READ_REPORTERS, RECEIVE
from app.police_reports.operations import holding


class ReportNotFound(Problem, status=404, denies=True):
    """No such report, or none the caller has a part in: the same answer (AZ-3, AZ-8)."""

    title = "No such report"
    title_zh = "没有这份报告"


FilesReports = Annotated[Principal, needs(FILE)]
ReadsReports = Annotated[Principal, needs(READ)]
HandlesReports = Annotated[Principal, needs(HANDLE)]
ReceivesReports = Annotated[Principal, needs(RECEIVE)]
MatchesReports = Annotated[Principal, needs(MATCH)]
ReadsReporters = Annotated[Principal, needs(READ_REPORTERS)]
_NAMED = ("report_id", "The report's id.", queries.find, ReportNotFound)
ReportInPath = Annotated[asyncpg.Record, named_in_path(*_NAMED)]
ReportToChange = Annotated[asyncpg.Record, named_in_path(*_NAMED, lock=True)]
ReportToCorrect = Annotated[
    dict[str, Any], named_in_path(*_NAMED[:2], holding.find_to_correct, ReportNotFound)
]
ReportToTakeBack = Annotated[
    dict[str, Any], named_in_path(*_NAMED[:2], holding.find_to_take_back, ReportNotFound)
]
"""Locked until the change is committed: steps on one report take turns."""
