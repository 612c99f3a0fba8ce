"""What the police did about what was reported (REP-08…13): every situation gets an answer of its
own, and what the law asks for beside what they did stays owed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import (
    answered,
    events,
    jurisdiction,
    omissions,
    particulars,
    queries,
    rules,
)
from app.police_reports.acts import TOLD
from app.police_reports.fetching import Report
from app.police_reports.models import Step
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.situations import said_to_be
from app.police_reports.operations.steps import Deed, Taken, repeatable, take
from app.police_reports.schemas import steps as stated
from app.policy import queries as policy
from app.policy.codelists import codelists

_measures: Final = policy.lookup("report.measures")

_Handling = stated.Disposition | stated.Handling
_Placed = Sequence[tuple[str, _Handling]]
"""Each kind handled, and where it stands in what was sent."""


@repeatable("disposeReport", Step.DISPOSED)
async def dispose_report(
    tx: Tx, principal: Principal, report: Report, new: stated.Disposition
) -> Taken:
    """Record what the police did, in one kind of situation or several. Raises
    ReportInvalid where nobody has said which situation the reporter's words mean, it
    answers nothing that was reported, or takes the child somewhere and does not say where. What the
    law asks for beside what they did stays owed. What police who had it before tell late answers
    nothing.
    """
    counts = TOLD.holds(principal, report, tx.today)
    understood = await said_to_be(tx, report, new.situations if counts else None)
    asked = queries.reported({**report, **understood})
    if counts and asked.others:
        raise ReportInvalid.at(
            "#/situations",
            "situation_unsaid",
            "Say which of the list `report_situations` the reporter's words mean (`as_sent`)."
            " 须写明报告人所述属于哪一种法定情形。",
        )
    handlings: _Placed = [("#", new), *((f"#/also/{n}", more) for n, more in enumerate(new.also))]
    kinds = {each.kind for _, each in handlings}
    if counts and not asked.takes(kinds, report["disposed_as"]):
        raise ReportInvalid.at("#/kind", "situation_unanswered", _would_answer(asked))
    before = await answered.journal(tx, report)
    codes = await _check(tx, report, new, handlings, before)
    said = new if new.id else new.model_copy(update={"id": new_id()})
    known = {**understood, "disposed_as": sorted({*report["disposed_as"], *kinds})}
    steps = [*before, {"id": said.id, "step": Step.DISPOSED, "codes": codes}]
    giver = principal.staff_id if any(each.omitted for _, each in handlings) else None
    stands = answered.columns(tx, {**report, **known}, steps, giver=giver)
    deed = Deed(
        Step.DISPOSED,
        said,
        events.ReportDisposed,
        facts={"police_agency_id": principal.agency_id},
        codes=codes,
        changes={**known, **stands} if counts else {},
        counts=counts,
    )
    return await take(tx, principal, report, deed)


async def _check(
    tx: Tx,
    report: Report,
    new: stated.Disposition,
    handlings: _Placed,
    journal: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Raise ReportInvalid unless the measures are those of their kinds. Return what may be counted
    of it.
    """
    day = local_date(report["filed_at"])
    listed = {each["code"]: each for each in _measures(report["region_code"], day)}
    told = omissions.told(journal)
    for pointer, each in handlings:
        _check_measures(pointer, each, listed)
        _check_particulars(pointer, each, told.get(each.kind, particulars.Told()))
    await _check_destination(tx, new, handlings, listed)
    before = [step["codes"] for step in journal]
    taken_to = [UUID(to) for codes in before if (to := codes.get("placed_with_agency_id"))]
    placed = new.placed_with_agency_id or next(reversed(taken_to), None)
    nearer = placed is not None and await jurisdiction.nearer(tx, report, placed)
    return _codes(new, [each for _, each in handlings], listed, nearer=nearer)


def _codes(
    new: stated.Disposition,
    handlings: Iterable[_Handling],
    listed: Mapping[str, Mapping[str, Any]],
    *,
    nearer: bool,
) -> dict[str, Any]:
    """Return what may be counted: kinds, measures done and left out, of which what was said, where
    the child was taken. `handled` says all of it again, by kind; the reasons and names are sealed.
    """
    return {
        "kind": new.kind,
        **({"understood": True} if new.situations else {}),
        "measures": sorted(set(new.measures)),
        "placed_with_agency_id": new.placed_with_agency_id,
        "placed_unregistered": new.placed_with_name is not None,
        "handed_over_on": new.hand_over and new.hand_over.handed_over_on,
        "handled": [
            {
                "kind": each.kind,
                "measures": sorted(set(each.measures)),
                "omitted": sorted({one.measure for one in each.omitted}),
                "said": {
                    one.measure: particulars.said_of(
                        one.model_dump(), listed[one.measure].get("asks", ()), nearer=nearer
                    )
                    for one in each.particulars or ()
                },
                "dangers": each.dangers and sorted(set(each.dangers)),
            }
            for each in handlings
        ],
    }


def _check_measures(pointer: str, new: _Handling, listed: Mapping[str, Mapping[str, Any]]) -> None:
    omitted = [each.measure for each in new.omitted]
    for field, codes in (("measures", new.measures), ("omitted", omitted)):
        for at, code in enumerate(codes):
            if code not in listed or new.kind not in listed[code]["kinds"]:
                raise ReportInvalid.at(
                    f"{pointer}/{field}/{at}",
                    "measure_unknown",
                    "Not a measure of this kind of situation.",
                )
    for at, code in enumerate(omitted):
        if code in new.measures:
            raise ReportInvalid.at(
                f"{pointer}/omitted/{at}", "measure_contradicted", "Either done or left out."
            )


def _check_particulars(pointer: str, new: _Handling, before: particulars.Told) -> None:
    for at, each in enumerate(new.particulars or ()):
        if each.measure not in {*before.measures, *new.measures}:
            raise ReportInvalid.at(
                f"{pointer}/particulars/{at}/measure",
                "measure_not_done",
                "No such measure was taken. 未采取该措施。",
            )


async def _check_destination(
    tx: Tx, new: stated.Disposition, handlings: _Placed, listed: Mapping[str, Mapping[str, Any]]
) -> None:
    placed = new.placed_with_agency_id
    if placed is not None and await queries.agency_kind(tx, placed) is None:
        raise ReportInvalid.at(
            "#/placed_with_agency_id", "agency_unknown", "There is no such agency."
        )
    if not any(listed[code].get("hand_over") for _, each in handlings for code in each.measures):
        return
    if placed is None and new.placed_with_name is None:
        raise ReportInvalid.at(
            "#/placed_with_agency_id",
            "destination_missing",
            "Say where the child was taken: the agency, or who it is in words."
            " 须写明护送或安置去向。",
        )
    if new.hand_over is None:
        raise ReportInvalid.at(
            "#/hand_over", "hand_over_missing", "Name the hand-over paper. 须写明交接文书。"
        )


def _would_answer(asked: rules.Reported) -> str:
    """Say which kinds of disposition would answer what was reported, in both languages."""
    names = {each.code: each for each in codelists()["disposition_kinds"].items}
    wanted = sorted({kind for kinds in asked.answers.values() for kind in kinds})
    return (
        "This answers nothing that was reported; these would: "
        + ", ".join(f"{kind} ({names[kind].en})" for kind in wanted)
        + "。所报告的情形须先以下列类别处置:"
        + "、".join(names[kind].zh for kind in wanted)
    )
