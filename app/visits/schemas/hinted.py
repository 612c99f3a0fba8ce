"""What of a visit could not be read may still say that something is wrong: its words are. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.core.text import canonical_number
from app.visits.schemas import AbnormalType

_WORDS: Final[Mapping[AbnormalType, str]] = {
    AbnormalType.living_alone: "独居|独自居住|独自生活|单独居住",
    AbnormalType.missing: "失踪|走失|失联",
    AbnormalType.guardian_failure: "无人监护|监护缺失|监护失职|不履行监护",
    AbnormalType.abandoned: "遗弃|抛弃|弃养",
    AbnormalType.domestic_violence: "家暴|家庭暴力|虐待|殴打|被打",
    AbnormalType.accident_or_harm: "性侵|侵害|伤害|受伤|有伤|溺水",
    AbnormalType.dropout: "辍学|失学",
    AbnormalType.ill: "患病|生病",
    AbnormalType.disabled: "残疾",
    AbnormalType.no_hukou: "无户籍|无户口|没有户口",
    AbnormalType.poverty: "贫困",
    AbnormalType.distress: "自杀|自残|抑郁",
    AbnormalType.misconduct: "不良行为|违法",
    AbnormalType.unsafe_home: "危房",
}
_SAYS: Final = {
    kind: re.compile(f"(?<![a-z]){kind}(?![a-z])|{words}") for kind, words in _WORDS.items()
}
_PLAINLY_NOT: Final = ("", "0", "false", "no", "n", "none", "否", "无", "没有")


def hinted(said: Any) -> AbnormalType | None:
    """Return the type of finding of which a code or a word stands in what was sent, `other` if
    there are several; None if none does. The name of a field is a word unless it holds a plain no.
    """
    texts = [re.sub(r"[\s-]+", "_", canonical_number(each).casefold()) for each in _texts(said)]
    found = {kind for kind, says in _SAYS.items() if any(map(says.search, texts))}
    if AbnormalType.abandoned in found:  # of which it is a kind
        found.discard(AbnormalType.guardian_failure)
    return found.pop() if len(found) == 1 else AbnormalType.other if found else None


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, list):
        for each in said:
            yield from _texts(each)
    elif isinstance(said, dict):
        for name, each in said.items():
            if each and str(each).strip().casefold() not in _PLAINLY_NOT:
                yield name
                yield from _texts(each)
