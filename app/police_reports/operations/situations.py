"""Which situations of the list the words of a reporter mean, once the police say so: until then
nothing that was done answers them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.agencies import queries as agencies
from app.core.clock import local_date
from app.core.data.db import Tx
from app.police_reports import answered, rules
from app.police_reports.operations.claims import ReportInvalid
from app.policy import queries as policy

_situations: Final = policy.lookup("report.situations")
_duty_bearers: Final = policy.lookup("report.duty_bearers")


async def said_to_be(
    tx: Tx, report: Mapping[str, Any], codes: Sequence[str] | None
) -> dict[str, Any]:
    """Return what a report says once the police add these codes to what was reported: the words
    that were in no list are understood, all of it is to be answered, and who had to report it is
    asked again. Raises ReportInvalid for a code that is in no list.
    """
    if not codes:
        return {}
    filed_on, place = local_date(report["filed_at"]), report["region_code"]
    listed = {each["code"] for each in _situations(place, filed_on)}
    for at, code in enumerate(codes):
        if code not in listed:
            raise ReportInvalid.at(
                f"#/situations/{at}", "situation_unlisted", "No code of `report.situations`."
            )
    known = sorted({*report["situations"], *codes})
    reporter = await agencies.find(tx, report["reporter_agency_id"])
    said = {
        "situations": known,
        "doubts": [each for each in report["doubts"] if each != "situation_unknown"],
        "bound_as": rules.bound_as(reporter.kind, known, _duty_bearers(place, filed_on))
        if reporter
        else report["bound_as"],
    }
    steps = await answered.journal(tx, report)
    return {**said, **answered.columns(tx, {**report, **said}, steps)}
