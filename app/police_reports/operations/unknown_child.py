"""Which child a report is about, as long as it hangs on no file: the file to which the id answers
by now that its reporter gave, or somebody is asked.
"""

from typing import Final
from uuid import UUID

from app.agencies.models import AgencyKind
from app.children.events import ChildUnnamed
from app.core.data.db import Tx
from app.police_reports import events, fetching, jurisdiction, queries
from app.police_reports.fetching import COLUMNS
from app.police_reports.models import Step
from app.police_reports.operations import home
from app.police_reports.operations.hidden import CHAIN
from app.police_reports.operations.locks import hold_reports
from app.police_reports.operations.steps import Deed, take
from app.police_reports.operations.taking_back import take_off
from app.police_reports.schemas.steps import Identification, IdentificationWithdrawal
from app.unresolved.models import UnresolvedReason, UnresolvedState
from app.unresolved.operations.whose import ask_others, ask_whose, settle_whose

_LAST_SAID: Final = f"""{CHAIN}
SELECT s.codes ->> 'found' FROM police_report_steps s JOIN chain ON s.report_id = chain.id
WHERE s.step = 'described' ORDER BY s.recorded_at DESC, s.id DESC LIMIT 1
"""


_STATED: Final = """
SELECT r.id FROM police_reports r
WHERE r.stated_child_id = $1 AND r.stated_child_id IS NOT NULL AND r.child_id IS NULL
"""
_SO_NAMED: Final = """
SELECT id FROM police_reports
WHERE child_county = $1 AND child_id = $2 AND stated_child_id = $3 AND reporter_agency_id = $4
  AND identified_at IS NULL
"""


async def attach_stated(tx: Tx, stated_child_id: UUID) -> None:
    """Hang the reports whose reporter called the child by an id on the file that has it, or to
    which it is another name for the reporter's agency. For jobs, in SYSTEM's reach; again, it
    changes nothing.
    """
    for report in await hold_reports(tx, await tx.connection.fetch(_STATED, stated_child_id)):
        if report["child_id"] is not None:  # pragma: no cover  two at one moment
            continue
        whose = [report["reporter_agency_id"]]
        child = await home.hold(tx, stated_child_id, named_by=whose)
        if child is None or await home.taken_off(tx, report["id"], child.id):
            continue
        said = Identification(identified_at=tx.now, child_id=child.id, basis=_BASIS)
        # Its reporter said so, not somebody else: `identified_at` stays empty.
        deed = Deed(
            Step.IDENTIFIED,
            said,
            events.ChildIdentified,
            codes={"child_id": child.id},
            changes=home.hung_on(child),
        )
        await take(tx, None, report, deed)


async def detach_stated(tx: Tx, unnamed: ChildUnnamed) -> None:
    """Take from a file the reports that hang on it by nothing but another name of it, which it has
    no more: whose they are is asked anew, or they hang on the file that the id names by now. For
    jobs, in SYSTEM's reach; again, it changes nothing.
    """
    child, stated_id = unnamed.child_id, unnamed.subject_id
    so_named = (unnamed.home_county, child, stated_id, unnamed.agency_id)
    for report in await hold_reports(tx, await tx.connection.fetch(_SO_NAMED, *so_named)):
        named = await home.hold(tx, stated_id, named_by=[report["reporter_agency_id"]])
        by_name = report["child_id"] == child and report["identified_at"] is None
        if by_name and (named is None or named.id != child):
            said = IdentificationWithdrawal(withdrawn_at=tx.now, basis=_NO_NAME)
            await take_off(tx, None, report, said)
    await attach_stated(tx, stated_id)


_NO_NAME: Final = "The file does not answer to this id any more. 档案已不再使用此编号。"
_BASIS: Final = "The report named the child by this id. 报告中已用此编号指明该儿童。"


async def keep_asked(tx: Tx, report_id: UUID, *, anew: bool = False) -> None:
    """Ask the office of the place, or settle what was asked, by what the report says now. For jobs,
    in SYSTEM's reach; again, it changes nothing. `anew`: something was said of the child.
    """
    sql = f"SELECT {COLUMNS} FROM police_reports r WHERE r.id = $1 FOR UPDATE OF r"
    [report] = await fetching.reports(tx, sql, report_id)
    if report["child_id"] is not None:
        await settle_whose(tx, report_id, UnresolvedState.attached)
    elif report["superseded_by_id"] is not None:
        await settle_whose(tx, report_id, UnresolvedState.corrected)
    else:
        township = (await jurisdiction.offices(tx, report)).township
        kind = township and await queries.agency_kind(tx, township)
        await ask_whose(
            tx,
            report_id,
            report["region_code"],
            "township_supervisor" if kind == AgencyKind.township_government else "civil_affairs",
            police=report["police_agency_id"],
            reason=UnresolvedReason.several_children
            if await tx.connection.fetchval(_LAST_SAID, report_id) == "several"
            else UnresolvedReason.child_unknown,
            anew=anew,
        )


_IN_CHARGE: Final = "SELECT id, police_agency_id FROM police_reports WHERE id = ANY ($1::uuid[])"


async def ask_again(tx: Tx, after: UUID) -> UUID | None:
    """Ask of one set of reports whoever may know by now whose they are and was not told; see
    `whose.ask_others`. For jobs, in SYSTEM's reach.
    """

    async def in_charge(reports: list[UUID]) -> dict[UUID, UUID | None]:
        rows = await tx.connection.fetch(_IN_CHARGE, reports)
        return {row["id"]: row["police_agency_id"] for row in rows}

    return await ask_others(tx, after, in_charge)
