"""What the police left out stands only if a second person of theirs says so (REP-20, REP-22)."""

from app.access.principal import Principal
from app.core.data.db import Tx
from app.police_reports import answered, case_events
from app.police_reports.fetching import Report
from app.police_reports.models import Step
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.steps import Deed, Taken, repeatable, take
from app.police_reports.schemas import case as stated


@repeatable("judgeOmissions", Step.OMISSION_CONFIRMED, Step.OMISSION_REJECTED)
async def judge_omissions(
    tx: Tx, principal: Principal, report: Report, new: stated.OmissionJudgement
) -> Taken:
    """Confirm the reasons for which measures were left out, or reject them: then what they are for
    is owed again. Raises NotYourPart, NothingLeftOut, AnotherOfficerNeeded; ReportInvalid if others
    were given since.
    """
    if new.disposition_id != report["omission_step_id"]:
        raise ReportInvalid.at(
            "#/disposition_id",
            "omission_unread",
            "Other reasons were given since: read them first. 此后另有理由,须先查阅。",
        )
    before = await answered.journal(tx, report)
    step = Step.OMISSION_CONFIRMED if new.confirmed else Step.OMISSION_REJECTED
    judged = [str(each) for each in answered.standing(report, before).to_judge]
    codes = {"disposition_id": str(new.disposition_id), "judged": judged}
    after = [*before, {"id": None, "step": step, "codes": codes}]
    changes = answered.columns(tx, report, after)
    deed = Deed(step, new, case_events.OmissionsJudged, codes=codes, changes=changes)
    return await take(tx, principal, report, deed)
