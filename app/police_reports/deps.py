"""Who may call, and the report that the path names: to read, or held until its change is stored."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from app.access.deps import named_in_path, needs
from app.access.guards import ALWAYS, IN_DANGER
from app.access.principal import Principal
from app.core.problems import Problem
from app.police_reports import queries
from app.police_reports.area import FILE, HANDLE, MATCH, READ, READ_REPORTERS, RECEIVE
from app.police_reports.fetching import Report
from app.police_reports.operations import holding, spooling


class ReportNotFound(Problem, status=404, denies=True):
    """No such report, or none the caller has a part in: the same answer (AZ-3, AZ-8)."""

    title = "No such report"
    title_zh = "没有这份报告"


FilesReports = Annotated[Principal, needs(FILE, evidence=True)]
AsksForHelp = Annotated[Principal, needs(FILE)]
ReadsReports = Annotated[Principal, needs(READ)]
HandlesReports = Annotated[Principal, needs(HANDLE)]
ReceivesReports = Annotated[Principal, needs(RECEIVE)]
MatchesReports = Annotated[Principal, needs(MATCH)]
ReadsReporters = Annotated[Principal, needs(READ_REPORTERS, approval=ALWAYS)]
ReadsReportersAlone = Annotated[Principal, needs(READ_REPORTERS, review=IN_DANGER)]


def _named(find: Callable[..., Awaitable[Any]]) -> Any:
    return named_in_path("report_id", "The report's id.", find, ReportNotFound)


ReportInPath = Annotated[Report, _named(queries.find)]
ReportToRead = Annotated[Report, _named(spooling.find)]
ReportToChange = Annotated[Report, _named(holding.find_to_change)]
ReportToJoin = Annotated[Report, _named(holding.find_to_join)]
ReportToCorrect = Annotated[dict[str, Any], _named(holding.find_to_correct)]
ReportToTakeBack = Annotated[dict[str, Any], _named(holding.find_to_take_back)]
"""Held until the change is committed: steps on a chain of corrections take turns."""
