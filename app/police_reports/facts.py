"""What the police found tells the file: harm through missing or improper guardianship (DEF-13),
from the report that it answers until the case is closed.

A report that is kept from anybody tells nothing here: the file would tell them (AZ-8).
"""

from typing import Final

from app.children import derivation
from app.children.told import Told
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.police_reports import events, fetching
from app.police_reports.fetching import COLUMNS

_REPORT: Final = f"""
SELECT {COLUMNS}, r.hidden_below > 0 OR r.police_below > 0 OR cardinality(r.hidden_from) > 0 AS kept
FROM police_reports r WHERE r.id = $1
"""
_HARM: Final = frozenset({"domestic_violence", "other_harm"})
_HUNG_ON: Final = """
SELECT child_id FROM police_reports WHERE id = $1 AND child_id IS NOT NULL
UNION SELECT (codes ->> 'child_id')::uuid FROM police_report_steps
WHERE report_id = $1 AND codes ->> 'child_id' IS NOT NULL
"""
"""The files a report hangs on and hung on: who it is about, and is not, is a step of it."""


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.ReportDisposed,
            events.ReportClosed,
            events.ReportReopened,
            events.ReportSuperseded,
            events.SuspectNamed,
            events.SuspectWithdrawn,
            events.ChildIdentified,
            events.IdentificationWithdrawn,
        )
    )
)
async def tell_file(tx: Tx, announced: spine.Announced) -> None:
    """Tell the file what the police found of the child, and no other file any more."""
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    abandoned = report["disposed_as"] and "abandoned" in report["situations"]
    harmed = abandoned or _HARM & {*report["disposed_as"]}
    told = harmed and not report["kept"]
    child_id = report["child_id"] if told and report["superseded_by_id"] is None else None
    for row in await tx.connection.fetch(_HUNG_ON, report["id"]):
        if row["child_id"] != child_id:
            await derivation.tell(tx, row["child_id"], "harmed", report["id"], None)
    if child_id is not None:
        closed = report["closed_at"]
        fact = Told(
            kind="harmed",
            since=local_date(report["handled_at"] or announced.occurred_at),
            until=local_date(closed) if closed else None,
            source_id=report["id"],
            stated_by=report["police_agency_id"],
        )
        await derivation.tell(tx, child_id, "harmed", report["id"], fact)
