"""What a resident identity number (GB 11643) must be, and agree with. Pure."""

from datetime import date
from typing import Final

from stdnum.cn import ric
from stdnum.exceptions import ValidationError

RULES: Final = {
    "resident_id_checksum": "The last character does not fit the other digits.",
    "resident_id_date": "The digits 7 to 14 are no date.",
    "resident_id_birth_date": "The number and the date of birth disagree.",
    "resident_id_sex": "The number and the sex disagree.",
    "resident_id_reason": "A number and a reason for having none exclude each other.",
}
"""Name of each rule, and what it says to a person."""


def broken_rules(number: str, *, birth_date: date, sex: str) -> list[str]:
    """Return the names of the rules that an 18 character number breaks, most basic first. A number
    of the right form whose place code no table knows breaks none: see `place_is_known`.
    """
    if ric.calc_check_digit(number) != number[-1]:
        return ["resident_id_checksum"]
    try:
        born = ric.get_birth_date(number)
    except ValidationError:
        return ["resident_id_date"]
    broken = []
    if born != birth_date:
        broken.append("resident_id_birth_date")
    if sex in {"male", "female"} and sex != ("male" if int(number[16]) % 2 else "female"):
        broken.append("resident_id_sex")
    return broken


def place_is_known(number: str) -> bool:
    """Tell whether the place code existed when the number was given; old tables are incomplete."""
    try:
        ric.get_birth_place(number)
    except (ValidationError, KeyError):  # python-stdnum raises the latter in known provinces
        return False
    return True
