"""The file of an assessment in Chinese, line by line, to be printed (REP-16)."""

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.core.clock import CHINA
from app.core.data.db import Tx
from app.police_reports import queries, rules, schemas
from app.police_reports.models import Step
from app.police_reports.schemas.document import AssessmentDocument, DocumentLine

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
    "service": {
        "guardianship_guidance": "监护指导",
        "medical_treatment": "医疗救治",
        "counselling": "心理疏导",
        "behaviour_correction": "行为矫治",
        "legal_service": "法律服务",
        "legal_aid": "法律援助",
        "social_assistance": "社会救助",
    },
    "outcome": {
        "open": "待答复",
        "accepted": "已接受,办理中",
        "cancelled": "已撤销",
        "done": "已办结",
        "refused": "家庭拒绝",
        "not_reached": "未能联系",
        "cannot_help": "无法提供",
    },
}
_ASSESSED: Final = (
    ("safety", "安全处境", "safety"),
    ("guardianship", "监护情况", "guardianship"),
    ("physical_health", "身体健康", "health"),
    ("mental_health", "心理健康", "health"),
    ("hardship", "家庭经济", "hardship"),
)


_OUTCOMES: Final = """
SELECT id, CASE WHEN state = 'answered' THEN answer ELSE state END AS outcome FROM referrals
WHERE source_id = $1
"""


async def document(tx: Tx, principal: Principal, report: asyncpg.Record) -> AssessmentDocument:
    """Make out the file of an assessment as the caller may read the report: the child, what was
    found, what was arranged and what came of that.
    """
    shown = await queries.whole(tx, principal, report)
    found = await tx.connection.fetch(_OUTCOMES, report["id"])
    outcomes = {row["id"]: row["outcome"] for row in found}
    lines = [
        DocumentLine(label=label, text=text)
        for label, text in _lines(shown, report["child_id"], outcomes)
    ]
    return AssessmentDocument(report_id=shown.id, title=TITLE, made_at=tx.now, lines=lines)


def _lines(
    report: schemas.Report, child_id: UUID | None, outcomes: Mapping[UUID, str]
) -> Iterator[tuple[str, str]]:
    yield "报告编号", str(report.id)
    yield "公安受理编号", report.police_reference or _UNSAID
    child = report.subject
    yield "儿童姓名", (child.name if child else None) or _UNSAID
    yield "性别", _word("sex", child.sex if child else None)
    yield "出生日期", child.birth_date.isoformat() if child and child.birth_date else _UNSAID
    for step in report.steps:
        said = step.details
        if said is None or step.step not in {Step.ASSESSED, Step.SERVICES_ARRANGED}:
            continue
        day = f"{step.at.astimezone(CHINA):%Y-%m-%d}"
        if step.step is Step.ASSESSED:
            yield "调查评估日期", day
            for name, label, words in _ASSESSED:
                yield label, _word(words, getattr(said, name))
            took_part = [_word("participants", each) for each in said.participants or ()]
            yield "参与方", "、".join(took_part) or _UNSAID
            yield "评估意见", said.summary or _UNSAID
        for place, service in enumerate(said.services or ()):
            asked = child_id and rules.referral_of(step.id, child_id, place)
            outcome = _word("outcome", outcomes.get(asked) if asked else None)
            kind = _word("service", service.kind)
            yield f"安排服务 {day}", f"{kind}:{service.provider};{outcome}"
    yield "评估单位(盖章)", ""
    yield "日期", ""


def _word(kind: str, code: str | bool | None) -> str:  # noqa: FBT001  of a code that is yes or no
    return _UNSAID if code is None else _WORDS[kind].get(code, str(code))
