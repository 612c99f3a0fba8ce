from datetime import date

import pytest

from app.children.residents import broken_rules, canonical, place_is_known, written
from tests.children.factories import with_check_digit

BORN = date(2016, 3, 1)


@pytest.mark.parametrize(
    ("number", "birth_date", "sex", "broken"),
    [
        (with_check_digit("12000020160301900"), BORN, "female", []),
        (with_check_digit("12000020160301901"), BORN, "male", []),
        (with_check_digit("12000020160301900"), BORN, "unknown", []),
        (with_check_digit("12000020160301900"), BORN, "male", ["resident_id_sex"]),
        (
            with_check_digit("12000020160301900"),
            date(2016, 3, 2),
            "male",
            ["resident_id_birth_date", "resident_id_sex"],
        ),
        (with_check_digit("12000020160230900"), BORN, "female", ["resident_id_date"]),
        ("12000020160301900" + "0", BORN, "female", ["resident_id_checksum"]),
    ],
)
def test_rules(number: str, birth_date: date, sex: str, broken: list[str]) -> None:
    assert broken_rules(number, birth_date=birth_date, sex=sex) == broken


@pytest.mark.parametrize("place", ["999999", "110001", "000000"])
def test_an_unknown_place_is_no_error(place: str) -> None:
    number = with_check_digit(f"{place}20160301900")
    assert not place_is_known(number)
    assert broken_rules(number, birth_date=BORN, sex="female") == []


def test_a_known_place() -> None:
    assert place_is_known(with_check_digit("11010120160301900"))


OLD = "110101990301900"
"""Fifteen digits: no century, no check character."""


def test_an_old_number_is_compared_in_full() -> None:
    assert canonical(OLD) == with_check_digit("11010119990301900")
    assert canonical(canonical(OLD)) == canonical(OLD)
    assert place_is_known(OLD)
    assert not place_is_known("999999" + OLD[6:])
    assert broken_rules(OLD, birth_date=date(1999, 3, 1), sex="female") == []
    assert broken_rules(OLD, birth_date=date(1999, 3, 1), sex="male") == ["resident_id_sex"]


@pytest.mark.parametrize("x", "xXｘＸ×ⅹⅩХхΧ")
def test_every_x_is_one(x: str) -> None:
    assert written(f" 1101 0120160301－90{x}\u200b") == "1101012016030190X"
