"""Whom words may mean that name no registered agency: it learns nothing (AZ-8). Pure."""

from collections.abc import Mapping
from typing import Final

from app.core.text import canonical_name
from app.regions.rules import SPANS

_NUMBERED: Final = tuple(of + level for of in "一二三四五六七八九十实附" for level in "中小")
_MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "village_committee": ("村", "社区", "居委", "village"),
    "township_government": ("乡", "镇", "街道", "town"),
    "civil_affairs": ("民政", "civil"),
    "police": ("公安", "派出所", "警", "治安", "所长", "pcs", "gaj", "police"),
    "school": ("校", "学", *_NUMBERED, "school"),
    "kindergarten": ("幼", "园", "kindergarten"),
    "hospital": ("医", "院", "卫生", "诊所", "hospital", "clinic"),
}
"""By which words people tell what kind of agency they mean."""

_OWN: Final = ("本", "我", "咱", "our", "own")
_PLAINLY: Final[Mapping[str, tuple[str, ...]]] = {
    "village_committee": ("村委", "居委", "村民委员会", "村干部", "村主任", "village committee"),
    "township_government": ("镇政府", "乡政府", "街道办", "township government"),
    "civil_affairs": ("民政", "civil affairs"),
    "police": ("公安", "派出所", "police"),
    "school": ("学校", "小学", "中学", *_NUMBERED, "school"),
    "kindergarten": ("幼儿园", "kindergarten"),
    "hospital": ("医院", "卫生院", "卫生所", "诊所", "hospital", "clinic"),
}
"""By which words people name such an agency, and not somebody who has to do with one."""


def _kinds(words: str) -> set[str]:
    said = canonical_name(words).replace("人民政府", "政府")  # which has 民政 in it
    return {each for each, marks in _MARKS.items() if any(mark in said for mark in marks)}


def may_mean(words: str, kind: str) -> bool:
    """Tell whether words may mean a kind: it has none, they say it or none (by 小, a colleague)."""
    kinds = _kinds(words)
    return kind in kinds or not kinds or kind not in _MARKS


def may_mean_own(words: str, kind: str) -> bool:
    """Tell whether somebody at an agency of this kind may mean their own: unless the words name
    another kind of agency, and nothing of their own.
    """
    said = canonical_name(words)
    named = any(
        mark in said for other, marks in _PLAINLY.items() if other != kind for mark in marks
    )
    return may_mean(words, kind) or not named or any(mark in said for mark in _OWN)


def told_from(words: str | None) -> int:
    """Return how many codes the remit of an office must hold to be told of a report while it is
    open whom it accuses: those of a county; of a prefecture, if civil affairs of the county may be
    meant. `words`: none for the id of no agency, which is that of no county either.
    """
    county, prefecture = SPANS[2], SPANS[3]
    return prefecture if words and may_mean(words, "civil_affairs") else county


def police_from(words: str | None) -> int:
    """Return how many codes the remit of police must hold to be told while it is open whom words
    accuse: those of a county, if they say police; one, which all hold, if they say nobody's kind
    and so may mean police (`acts`: these do not say who is meant); else any.
    """
    kinds = _kinds(words) if words else {""}
    return SPANS[2] if "police" in kinds else 0 if kinds else 1
