"""The file of an assessment in Chinese, line by line, to be printed (REP-16)."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.clock import CHINA
from app.core.data.db import Tx
from app.police_reports import findings, queries, rules, schemas, showing
from app.police_reports.fetching import Report
from app.police_reports.models import Step
from app.police_reports.schemas.document import AssessmentDocument, DocumentLine
from app.policy.codelists import codelists

TITLE: Final = "儿童调查评估档案"
_UNSAID: Final = "未填写"
_WORDS: Final[Mapping[str, Mapping[str | bool, str]]] = {
    "sex": {"male": "男", "female": "女", "unknown": "不详"},
    "safety": {"safe": "安全", "at_risk": "存在风险", "unsafe": "不安全"},
    "guardianship": {"adequate": "监护到位", "weak": "监护不力", "absent": "无人监护"},
    "health": {"good": "良好", "fair": "一般", "poor": "较差"},
    "hardship": {True: "经济困难", False: "无经济困难"},
    "participants": {
        "civil_affairs": "民政部门",
        "police": "公安机关",
        "village_committee": "村(居)民委员会",
        "school": "学校",
        "hospital": "医疗机构",
        "relatives": "亲属",
        "social_work": "社会工作者",
    },
    "outcome": {
        "open": "待答复",
        "cancelled": "已撤销",
    },
}
_LISTS: Final = {"service": "referral_needs", "outcome": "referral_answers"}
"""Whose words a code list has."""
_ASSESSED: Final = (
    ("safety", "安全处境", "safety"),
    ("guardianship", "监护情况", "guardianship"),
    ("physical_health", "身体健康", "health"),
    ("mental_health", "心理健康", "health"),
    ("hardship", "家庭经济", "hardship"),
)
_BLANKS: Final = ("经办人", "评估单位(盖章)", "会同单位(盖章)", "日期")
"""Filled in by hand."""
_OUTCOMES: Final = """
SELECT id, CASE WHEN state = 'answered' THEN answer ELSE state END AS outcome FROM referrals
WHERE source_id = $1
"""


async def document(tx: Tx, principal: Principal, report: Report) -> AssessmentDocument:
    """Make out the file of an assessment as the caller may read the report: the child, by its file
    if it has one, what was found last, what was arranged and what came of that. Nothing of another
    child that the report was taken to be about.
    """
    shown = await showing.whole(tx, principal, report)
    found = await tx.connection.fetch(_OUTCOMES, report["id"])
    outcomes = {row["id"]: row["outcome"] for row in found}
    of_child = [*_of_child(await _child(tx, report, shown.subject))]
    seen = {step.id for step in shown.steps}
    journal = [step for step in await findings.steps(tx, report) if step["id"] in seen]
    last = findings.assessment(report, journal)
    printed = {step["id"] for step in journal if step["step"] == Step.SERVICES_ARRANGED}
    printed |= {last["id"]} if last else set()
    lines = [
        DocumentLine(label=label, text=text)
        for label, text in (
            ("报告编号", str(shown.id)),
            ("公安受理编号", shown.police_reference or _UNSAID),
            *of_child,
            *_of_steps(shown, printed, report["child_id"], outcomes),
            *((blank, "") for blank in _BLANKS),
        )
    ]
    return AssessmentDocument(report_id=shown.id, title=TITLE, made_at=tx.now, lines=lines)


async def _child(tx: Tx, report: Report, subject: schemas.SubjectShown | None) -> Mapping[str, Any]:
    """Return who it is: by the file if the report hangs on one, which a caller who may not read it
    does not learn; else as the reporter says.
    """
    if report["child_id"] is None:
        return subject.model_dump() if subject else {}
    return await queries.identity(tx, report["child_county"], report["child_id"])


def _of_child(child: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "儿童姓名", child.get("name") or _UNSAID
    yield "性别", _word("sex", child.get("sex"))
    born = child.get("birth_date")
    yield "出生日期", born.isoformat() if born else _UNSAID


def _of_steps(
    report: schemas.Report,
    printed: Collection[UUID],
    child_id: UUID | None,
    outcomes: Mapping[UUID, str],
) -> Iterator[tuple[str, str]]:
    for step in report.steps:
        said = step.details
        if said is None or step.id not in printed:
            continue
        day = f"{step.at.astimezone(CHINA):%Y-%m-%d}"
        if step.step is Step.ASSESSED:
            yield "调查评估日期", day
            for name, label, words in _ASSESSED:
                yield label, _word(words, getattr(said, name))
            took_part = [_word("participants", each) for each in said.participants or ()]
            yield "参与方", "、".join(took_part) or _UNSAID
            yield "评估意见", said.summary or _UNSAID
        if said.none_needed:
            yield f"安排服务 {day}", f"不需要:{said.none_needed}"
        for place, service in enumerate(said.services or ()):
            asked = child_id and rules.referral_of(step.id, child_id, place)
            outcome = _word("outcome", outcomes.get(asked) if asked else None)
            kind = _word("service", service.kind)
            yield f"安排服务 {day}", f"{kind}:{service.provider};{outcome}"


def _word(kind: str, code: str | bool | None) -> str:  # noqa: FBT001  of a code that is yes or no
    if code is None:
        return _UNSAID
    listed = codelists()[_LISTS[kind]].items if kind in _LISTS else ()
    words = [each.zh for each in listed if each.code == code]
    return words[0] if words else _WORDS[kind][code]
