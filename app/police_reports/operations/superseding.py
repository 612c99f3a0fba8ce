"""A report is corrected by its reporter: another takes its place."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.data.db import Tx
from app.police_reports import events, fetching, queries
from app.police_reports.acts import ACTS
from app.police_reports.fetching import COLUMNS
from app.police_reports.operations import filing, hidden, taking_back
from app.police_reports.operations.counting import count_anew
from app.police_reports.operations.standing import change
from app.police_reports.operations.telling import announce
from app.police_reports.schemas.filing import ReportCreate
from app.police_reports.schemas.steps import IdentificationWithdrawal


async def supersede_report(
    tx: Tx, principal: Principal, old: Mapping[str, Any], new: ReportCreate
) -> filing.Filed:
    """File a corrected report that takes the place of an earlier one of the same agency.

    Nothing is deleted: the earlier one stays and names its successor. If that is about another
    child, the file of the first loses what hung on it by nothing but its reporter's word.
    Whom any report of the chain speaks against learns of none of them. Raises NotYourPart,
    SupersededAlready and what `file_report` raises.
    """
    named = new.id is not None or "id" in new.unread
    rings = tx.keyring.each() if named else []
    contents = [filing.content_of(ring, new) for ring in rings]
    if "out_of_sight" in old:  # what became of it meanwhile is not told, but followed
        async with tx.as_system():
            [old] = await fetching.reports(tx, _NEWEST, old["id"], contents)
    later = old["superseded_by_id"] and await queries.find_anywhere(tx, old["superseded_by_id"])
    repeated = later and later["content_index"] in contents
    stands = {**old, "superseded_by_id": None} if repeated else old
    ACTS["supersedeReport"].require(principal, stands, tx.today)
    filed = await filing.file_report(tx, principal, new, corrects=old)
    if filed.is_new:
        async with tx.as_system():  # it may be hidden from its own reporter's agency
            await change(tx, old["id"], superseded_by_id=filed.answer.id)
        kept = (filed.hidden_from, filed.hidden_below, filed.police_below)
        await hidden.hide(tx, filed.answer.id, *kept)
        await count_anew(tx, old["id"])
        kept_from = {"hidden_from": filed.hidden_from, "hidden_below": filed.hidden_below}
        replaced = {**old, **kept_from, "police_below": filed.police_below}
        await announce(tx, events.ReportSuperseded, replaced, superseded_by=filed.answer.id)
        await _take_off(tx, old, filed.child_id)
    return filed


_NEWEST: Final = f"""
WITH RECURSIVE line AS (
    SELECT id, superseded_by_id FROM police_reports WHERE id = $1
    UNION
    SELECT r.id, r.superseded_by_id FROM line JOIN police_reports r
      ON r.id = line.superseded_by_id AND NOT (r.content_index = ANY ($2::bytea[]))
)
SELECT {COLUMNS} FROM police_reports r JOIN line USING (id)
WHERE NOT EXISTS (SELECT FROM line AS later WHERE later.id = r.superseded_by_id) FOR UPDATE OF r
"""
"""The last correction of a report, but for one that is sent again."""


_ANOTHER: Final = (
    "The reporter corrected it: another child is meant. 报告人已更正:所指为另一名儿童。"
)


async def _take_off(tx: Tx, old: Mapping[str, Any], child_id: UUID | None) -> None:
    """Take what a correction says to be about another child off the file of the first, and tell
    whoever heard of it. What a person identified only a person takes back.
    """
    if None in {old["child_id"], child_id} or old["child_id"] == child_id:
        return
    async with tx.as_system():
        hung = await fetching.reports(tx, taking_back.HUNG, old["id"], old["child_id"])
        if any(each["identified_at"] is not None for each in hung):
            return
        for each in hung:
            said = IdentificationWithdrawal(withdrawn_at=tx.now, basis=_ANOTHER)
            await taking_back.take_off(tx, None, each, said)
