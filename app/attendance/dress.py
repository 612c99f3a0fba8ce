"""An event as systems write it: what of it can be read in one way only is read so, the rest is set
aside as it was sent. Evidence is never refused for its dress. Pure.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from app.core.clock import CHINA, EARLIEST, within
from app.core.http.days import read_day
from app.core.text import canonical_number

_FIELDS: Final = frozenset(
    ("source", "id", "student", "class_name", "school_day", "session", "category", "reason")
) | {"time", "sequence"}
_CATEGORIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("旷课", "无故旷课", "无故缺勤", "unexcused_absence"), "unexcused"),
    # Nobody said that it was excused, and that it was not is owed a look.
    **dict.fromkeys(("缺勤", "缺课", "缺席", "未到", "未到校", "absent", "absence"), "unexcused"),
    **dict.fromkeys(("请假", "病假", "事假", "excused_absence"), "excused"),
    **dict.fromkeys(("出勤", "到校", "在校"), "present"),
    "迟到": "late",
    "早退": "left_early",
    "点名": "roll",
}
_SESSIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("am", "上午"), "morning"),
    **dict.fromkeys(("pm", "下午"), "afternoon"),
    **dict.fromkeys(("全天", "整天", "day", "full_day", "all_day"), "whole_day"),
}
_EXCUSES: Final = ("病假", "事假")
OTHER_TIME: Final = "data.time"
"""Where the time of the data is kept that differs from that of the envelope."""
_CODE: Final = re.compile(r"[a-z0-9_.:-]{1,60}")
_MILLISECONDS: Final = 10**11
"""A number of seconds since 1970 beyond this, in the year 5138, counts milliseconds."""
_LAST_SEQUENCE: Final = 2_147_483_647
_ENOUGH: Final = len(str(_LAST_SEQUENCE)) + 1
"""Digits that tell that a number lies beyond it."""


def undressed(event: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an event in the spelling of the wire, and by name what of it was set aside. What
    cannot be read and cannot be done without, stays as it is, to be refused.

    A time that is missing or cannot be read becomes the earliest there is, which no clock shows.
    """
    plain = {name: value for name, value in event.items() if name in _FIELDS}
    aside = {name: value for name, value in event.items() if name not in _FIELDS}
    plain |= origin(event)
    if day := read_day(plain.get("school_day")):
        plain["school_day"] = day.isoformat()
    for name, words in (("session", _SESSIONS), ("category", _CATEGORIES)):
        read = _word(plain.get(name), words)
        if read in words.values() and _word(plain.get(name), {}) != read:
            aside[name] = plain[name]  # it may say more, as 病假 does
        plain[name] = read
    if isinstance(plain.get("student"), dict):
        if plain.get("category") != "roll" and "class_name" in plain:
            aside["class_name"] = plain.pop("class_name")  # the register knows the pupil's
        plain["student"], other = _student(plain["student"])
        aside |= {"student": other} if other else {}
    _set_aside(plain, aside, "reason", _reason(plain.get("reason")))
    _set_aside(plain, aside, "time", _moment(plain.get("time")))
    _set_aside(plain, aside, "sequence", _sequence(plain.get("sequence", 0)))
    return plain, aside


def says_more(aside: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return of what was set aside what says more than was read of it: words of a reason or an
    excuse, and of a pupil; no other spelling, no clock, and no field nobody knows.
    """
    kept = {name: said for name, said in (aside or {}).items() if name in {"reason", "student"}}
    word = (aside or {}).get("category")
    return {**kept, "category": word} if _word(word, {}) in _EXCUSES else kept


def class_says_more(aside: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return of what was set aside of a roll what may say who was not there: not the spelling of
    what was read, nor an id, a number or a time that a field nobody knows says of who called the
    class, with what and when, as `teacher_id` does.
    """
    return {
        name: said
        for name, said in class_unread(aside).items()
        if not (_OF_THE_CALL.fullmatch(name.removeprefix(BESIDE)) and _no_words(said))
    }


def class_unread(aside: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return of what was set aside of a roll all but the spelling of what was read."""
    return {name: said for name, said in (aside or {}).items() if name not in _SPELT}


def _no_words(said: Any) -> bool:
    """Tell whether it is nothing, a number, an id, a time or a version: no word can be among it."""
    if said is None or type(said) in {int, float}:
        return True
    return isinstance(said, str) and _MARK.fullmatch(said) is not None


BESIDE: Final = "batch."
"""Before the name of what stood beside the events of a batch."""
_OF_THE_CALL: Final = re.compile(
    r"(?:class_?|head_?|home_?room_?|form_?)?(?:teacher|master)(?:_?(?:id|name|no))?"
    r"|(?:device|terminal|app|client|system|software|school)(?:_?(?:id|name|no|version))?|version"
    r"|(?:sent|uploaded|created|called|synced|exported)_?(?:at|on|by)|timestamp|timezone"
    r"|grade|term|semester|school_?year|lesson|period|room|batch(?:_?(?:id|no))?"
    r"|班主任|(?:任课)?(?:教师|老师)|点名人|设备|学校|年级|学期|学年|节次|教室|版本|上传时间|批次",
    re.IGNORECASE,
)
_MARK: Final = re.compile(r"(?=.*[0-9])(?!.*[A-Za-z]{4})[0-9A-Za-z.:+-]{1,40}|[0-9a-fA-F-]{36}")
_SPELT: Final = frozenset(
    ("class_name", "school_day", "session", "category", "time", "sequence")
) | {OTHER_TIME, "characters"}


def origin(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the source and the id of an event, as far as it has them, in the wire's spelling."""
    named = {name: event[name] for name in ("source", "id") if name in event}
    named = {name: str(said) if _is_number(said) else said for name, said in named.items()}
    if isinstance(named.get("source"), str):
        named["source"] = quote(named["source"].strip(), safe="".join(map(chr, range(33, 127))))
    return named


def same_name(said: Any, name: str) -> bool:
    """Tell whether data name an event as its envelope does, in whatever spelling, or not at all."""
    if said is None:
        return True
    known = isinstance(said, str) or _is_number(said)
    return known and _compared(str(said)) == _compared(name)


def _compared(name: str) -> str:
    return canonical_number(unquote(name)).casefold()


def of_two(said: Any, again: Any) -> tuple[Any, Any]:
    """Return which of two times that were sent is read, the first if it can be, and the other if
    it says another instant; None: none was sent.
    """
    if said is None or again is None:
        return (again if said is None else said), None
    first, second = _instant(said), _instant(again)
    if first == second and (first is not None or said == again):
        return said, None
    if first is None and second is not None:
        return again, said
    return said, again


def _instant(said: Any) -> datetime | None:
    read = _moment(said)[0]
    moment = read if isinstance(read, datetime) else datetime.fromisoformat(read)
    return None if within(moment) == EARLIEST else within(moment)


def _set_aside(
    plain: dict[str, Any], aside: dict[str, Any], name: str, read: tuple[Any, bool]
) -> None:
    """Put what was read in the place of what was sent; keep that, if it does not say all of it."""
    value, whole = read
    if not whole:
        aside[name] = plain.get(name)
    plain[name] = value


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _word(value: Any, words: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    word = re.sub(r"[\s-]+", "_", value.strip().casefold())
    return words.get(word, word)


def _student(student: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    by_id = _is_id(student.get("child_id"))
    names = ("child_id",) if by_id else ("system", "number")
    plain = {name: student[name] for name in names if name in student}
    if _is_number(plain.get("number")):
        plain["number"] = str(plain["number"])
    if isinstance(plain.get("system"), str):
        plain["system"] = _word(plain["system"], {})
    return plain, {name: value for name, value in student.items() if name not in plain}


def _is_id(value: Any) -> bool:
    try:
        UUID(value)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def _reason(value: Any) -> tuple[str | None, bool]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, True
    code = value.strip().casefold() if isinstance(value, str) else ""
    return (code, True) if _CODE.fullmatch(code) else (None, False)


def _moment(value: Any) -> tuple[Any, bool]:
    if _is_number(value) or isinstance(value, float):
        seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
        try:
            return datetime.fromtimestamp(seconds, UTC).isoformat(), False
        except (ValueError, OverflowError, OSError):
            return EARLIEST.isoformat(), False
    try:
        read = datetime.fromisoformat(str(value).strip())
    except ValueError:
        if isinstance(value, str) and value[17:19] == "60":
            return _moment(f"{value[:17]}59{value[19:]}")[0], False
        return EARLIEST.isoformat(), value is None
    return _zoned(read), read.tzinfo is not None


def _zoned(moment: datetime) -> datetime:
    """Return an instant; one without an offset is what a clock in China showed."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=CHINA)


def _sequence(value: Any) -> tuple[int, bool]:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.strip().isdecimal():
        digits = canonical_number(value).lstrip("0")
        value = int(digits[:_ENOUGH] or 0)
    if not _is_number(value):
        return 0, value is None
    within = min(max(value, 0), _LAST_SEQUENCE)
    return within, within == value
