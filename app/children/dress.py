"""Who a child is, as people write it: what can be read in one way only is read so, the rest is set
aside as it was sent. Pure.
"""

from collections.abc import Mapping
from typing import Any, Final
from unicodedata import normalize

from pydantic import TypeAdapter, ValidationError

from app.children import residents
from app.children.sections.identity import ResidentNumber
from app.core.http.days import read_day

_NUMBER: Final = TypeAdapter[str](ResidentNumber)
_SEXES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("male", "m", "1", "男", "男性", "男孩"), "male"),
    **dict.fromkeys(("female", "f", "2", "女", "女性", "女孩"), "female"),
    **dict.fromkeys(("unknown", "u", "0", "9", "未知", "不详", "未说明"), "unknown"),
}
"""GB/T 2261.1, in words, letters and its own numbers."""


def undressed(identity: Mapping[str, Any], unread: dict[str, Any]) -> dict[str, Any]:
    """Return who a child is in the spelling of the wire; what cannot be read is put into `unread`,
    by its dotted name. A sound number tells a birth date and a sex that cannot be read.
    """
    read = {**identity}
    number = read.get("resident_id")
    number = str(number) if type(number) is int else number
    if number is not None and not _is_number(number):
        unread["identity.resident_id"] = read.pop("resident_id")
        number = None
    if number is not None:
        read["resident_id"] = number
    told = residents.tells(residents.written(number)) if number is not None else None
    said = read.get("birth_date")
    day = read_day(said)
    if day is None and told is not None:
        unread |= {} if said is None else {"identity.birth_date": said}
        day = told[0]
    if day is not None:
        read["birth_date"] = day.isoformat()
    said = read.get("sex")
    if said is not None:
        plain = normalize("NFKC", str(said)).strip().casefold()
        if plain not in _SEXES:
            unread["identity.sex"] = said
        read["sex"] = _SEXES.get(plain) or (told[1] if told is not None else "unknown")
    return read


def _is_number(said: Any) -> bool:
    try:
        _NUMBER.validate_python(said)
    except ValidationError:
        return False
    return True
