"""What a resident identity number (GB 11643) must be, and agree with. Pure."""

from datetime import date
from typing import Final

from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from app.core.text import canonical_number

RULES: Final = {
    "resident_id_checksum": "The last character does not fit the other digits.",
    "resident_id_date": "The digits 7 to 14 are no date.",
    "resident_id_birth_date": "The number and the date of birth disagree.",
    "resident_id_sex": "The number and the sex disagree.",
    "resident_id_reason": "A number and a reason for having none exclude each other.",
}
"""Name of each rule, and what it says to a person."""


_OLD_LENGTH: Final = 15
_LIKE_X: Final = str.maketrans(dict.fromkeys("×✕ХΧ", "X"))
"""What keyboards offer for the check character: signs, and the letters of Cyrillic and Greek."""


def written(number: str) -> str:
    """Return a number as it is written: without spaces, hyphens or width, and with a capital X."""
    return canonical_number(number).replace("-", "").upper().translate(_LIKE_X)


def canonical(number: str) -> str:
    """Return the 18 characters by which a number as `written` is compared. Those of 15 digits,
    given out until 1999, leave out the century and the check character.
    """
    if len(number) != _OLD_LENGTH:
        return number
    body = f"{number[:6]}19{number[6:]}"
    return body + str(ric.calc_check_digit(f"{body}0"))  # which leaves the last out


def broken_rules(number: str, *, birth_date: date, sex: str) -> list[str]:
    """Return the names of the rules that a number as `written` breaks, most basic first. A number
    of the right form whose place code no table knows breaks none: see `place_is_known`.
    """
    number = canonical(number)
    if ric.calc_check_digit(number) != number[-1]:
        return ["resident_id_checksum"]
    told = tells(number)
    if told is None:
        return ["resident_id_date"]
    broken = []
    if told[0] != birth_date:
        broken.append("resident_id_birth_date")
    if sex in {"male", "female"} and sex != told[1]:
        broken.append("resident_id_sex")
    return broken


def tells(number: str) -> tuple[date, str] | None:
    """Return the birth date and the sex that a number as `written` tells; None if it is unsound."""
    number = canonical(number)
    if ric.calc_check_digit(number) != number[-1]:
        return None
    try:
        return ric.get_birth_date(number), "male" if int(number[16]) % 2 else "female"
    except ValidationError:
        return None


def place_is_known(number: str) -> bool:
    """Tell whether the place code existed when the number was given; old tables are incomplete."""
    try:
        ric.get_birth_place(canonical(number))
    except (ValidationError, KeyError):  # python-stdnum raises the latter in known provinces
        return False
    return True
