"""The yearly audit of minors' data as a document to be printed and signed (MNP-37)."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from app.core import printed
from app.core.clock import CHINA, beginning

_PARTS: Final = (
    (
        "files",
        ("年末在档儿童", "Files at the end of the year"),
        {
            "under_14": ("不满十四周岁", "under 14"),
            "under_18": ("不满十八周岁(含不满十四周岁)", "under 18, with those under 14"),
            "all": ("全部档案", "all files"),
        },
    ),
    (
        "looks",
        ("查阅与变更", "Looks and changes"),
        {
            "allowed": ("准许", "allowed"),
            "partly": ("部分准许", "allowed in part"),
            "denied": ("拒绝", "refused"),
        },
    ),
    (
        "posts",
        ("授权(任职)", "Authority given, by posts"),
        {
            "begun": ("本年授予", "begun"),
            "ended": ("本年终止", "ended"),
            "standing": ("年末有效", "standing at the end"),
        },
    ),
    (
        "break_glass",
        ("紧急调阅", "Files opened in an emergency"),
        {
            "opened": ("次数", "opened"),
            "proper": ("复核认为适当", "found proper"),
            "misuse": ("复核认为不当", "found improper"),
            "unreviewed": ("尚未复核", "not reviewed"),
        },
    ),
    (
        "exports",
        ("对外提供的副本与文书", "Copies and documents given out"),
        {
            "copies": ("个人信息副本", "copies of a child's data"),
            "documents": ("调查评估文书", "documents of assessments"),
            "readers": ("查阅记录告知书", "documents of who looked"),
        },
    ),
)
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "access": ("查阅、复制", "to see or copy"),
    "portability": ("转移", "to take along"),
    "correction": ("更正", "to correct"),
    "supplement": ("补充", "to complete"),
    "erasure": ("删除", "to delete"),
    "explanation": ("解释说明", "to explain"),
    "withdrawal": ("撤回同意", "to withdraw consent"),
    "leaked": ("泄露", "leaked"),
    "altered": ("篡改", "altered"),
    "lost": ("丢失", "lost"),
}
_BECAME: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("办理中", "open"),
    "closed": ("已办结", "closed"),
    "taken_back": ("已撤回", "taken back"),
    "granted": ("同意", "granted"),
    "partly": ("部分同意", "granted in part"),
    "refused": ("拒绝", "refused"),
}


def year_document(figures: Mapping[str, Any], made_at: datetime) -> str:
    """Return the report of a year, of its figures, as HTML."""
    sealed = figures["sealed"]
    named = zip(
        sealed["checkpoints"],
        (("本年首个检查点", "first of the year"), ("本年末个检查点", "last of the year")),
        strict=False,
    )
    checkpoints = [
        {**each, "zh": zh, "en": en, "made_at": _moment(each["made_at"])}
        for each, (zh, en) in named
    ]
    return printed.page(
        "app.breaches",
        "year",
        year=figures["year"],
        due=date(figures["year"] + 1, 1, 31),
        made_at=_moment(made_at),
        unended=made_at < beginning(date(figures["year"] + 1, 1, 1)),
        parts=[*_parts(figures)],
        sealed={**sealed, "checkpoints": checkpoints},
    )


def _parts(figures: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, (zh, en), rows in _PARTS:
        counted = [
            {"zh": row_zh, "en": row_en, "value": figures[name][row]}
            for row, (row_zh, row_en) in rows.items()
        ]
        yield {"zh": zh, "en": en, "rows": counted}
    requests = [_counted(row, row["became"], row["requests"]) for row in figures["requests"]]
    yield {"zh": "个人信息权利请求", "en": "Requests about a child's data", "rows": requests}
    breaches = [_counted(row, row["state"], row["breaches"]) for row in figures["breaches"]]
    yield {"zh": "信息安全事件", "en": "Breaches", "rows": breaches}


def _counted(row: Mapping[str, Any], became: str, value: int) -> dict[str, Any]:
    (kind_zh, kind_en), (zh, en) = _KINDS[row["kind"]], _BECAME[became]
    return {"zh": f"{kind_zh}:{zh}", "en": f"{kind_en}: {en}", "value": value}


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"
