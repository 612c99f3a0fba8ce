from collections import Counter
from datetime import date

import pytest
from stdnum.cn import ric

from app.policy import queries
from app.policy.rules import effective
from app.regions import divisions
from app.regions.divisions import Division
from app.regions.rules import county_of
from demo import register
from demo.register import CITATION, PUBLISHED, SyntheticChild, generate, recompute

AS_OF = date(2026, 6, 30)


@pytest.fixture(scope="module")
def villages() -> list[Division]:
    return list(divisions.demo_villages())


@pytest.fixture(scope="module")
def children(villages: list[Division]) -> tuple[SyntheticChild, ...]:
    return generate(villages, as_of=AS_OF)


@pytest.mark.parametrize("seed", [1, 2, 1236])
@pytest.mark.parametrize("as_of", [AS_OF, date(2016, 6, 30), date(2024, 2, 29), date(2023, 2, 28)])
def test_the_register_has_exactly_the_published_figures(
    villages: list[Division], as_of: date, seed: int
) -> None:
    table = recompute(generate(villages, as_of=as_of, seed=seed), as_of=as_of)
    assert table == PUBLISHED


def test_the_published_figures_are_those_of_the_source() -> None:
    printed = {str(figure.count) for figure in PUBLISHED.values()}
    shares = {str(figure.percent) for figure in PUBLISHED.values() if figure.percent}
    assert printed == {
        "1236",
        "970",
        "33",
        "35",
        "198",
        "356",
        "7",
        "13",
        "1117",
        "565",
        "279",
        "834",
        "123",
        "702",
        "227",
    }
    assert shares == {"78.48", "2.67", "2.83", "16.02", "90.37", "22.57", "67.48", "9.95"}
    assert CITATION.startswith("STA-02")


def test_recomputing_notices_a_child_more(
    villages: list[Division], children: tuple[SyntheticChild, ...]
) -> None:
    table = recompute([*children, children[0]], as_of=AS_OF)
    assert table["total"].count == 1237
    assert table != PUBLISHED
    assert recompute(children, as_of=date(2027, 6, 30)) != PUBLISHED


def test_the_same_seed_gives_the_same_register(
    villages: list[Division], children: tuple[SyntheticChild, ...]
) -> None:
    assert generate(iter(villages), as_of=AS_OF) == children
    assert generate(villages, as_of=AS_OF, seed=7) != children


def test_children_live_in_real_villages_of_all_ten_districts(
    villages: list[Division], children: tuple[SyntheticChild, ...]
) -> None:
    names = {village.code: village.name for village in villages}
    assert all(names[child.village].endswith("村委会") for child in children)
    districts = Counter(county_of(child.village) for child in children)
    assert sorted(districts) == list(range(120110000000, 120120000000, 1000000))
    assert [child.village for child in children] == sorted(child.village for child in children)


def test_names_say_that_the_child_does_not_exist(children: tuple[SyntheticChild, ...]) -> None:
    assert children[0].name[1:] == "样零零零一"
    assert len({child.name[1:] for child in children}) == 1236
    assert all(child.name[1] == "样" for child in children)


def test_resident_ids_check_and_cannot_be_issued(children: tuple[SyntheticChild, ...]) -> None:
    numbered = [child for child in children if child.resident_id]
    assert 1190 < len(numbered) < 1236 - 13
    assert len({child.resident_id for child in numbered}) == len(numbered)
    for child in numbered:
        assert child.resident_id is not None
        number = ric.validate(child.resident_id)
        assert ric.get_birth_date(number) == child.birth_date
        assert number.startswith("120000")
        assert int(number[14:17]) >= 900
        assert int(number[16]) % 2 == (child.sex == "male")
    assert not any(child.resident_id for child in children if not child.hukou.registered)


def test_every_child_is_left_behind_under_the_policy_of_tianjin(
    children: tuple[SyntheticChild, ...],
) -> None:
    shipped = queries.values()

    def policy(name: str, village: int) -> object:
        return effective(shipped, f"lbc.{name}", village, AS_OF).value

    for child in children:
        assert policy("age_limit", child.village) == 16
        assert policy("hukou_rule", child.village) == child.hukou.type == "rural"
        assert policy("parents_rule", child.village) == "both_or_one_incapable"
        away = [parent for parent in child.parents if parent.status == "away"]
        home = [parent for parent in child.parents if parent.status == "at_home"]
        assert [parent.role for parent in child.parents] == ["father", "mother"]
        assert len(home) == (child.guardianship == "one_away_other_incapable")
        assert all(not parent.guardianship_capacity for parent in home)
        assert all(parent.incapacity_reason for parent in home)
        assert away
        assert all(child.birth_date < parent.since < AS_OF for parent in child.parents)


def test_schooling_fits_the_age(children: tuple[SyntheticChild, ...]) -> None:
    for child in children:
        if child.schooling in ("primary", "junior_secondary"):
            assert AS_OF.year - child.birth_date.year >= 6
        if child.dropout:
            assert child.schooling in ("primary", "junior_secondary")
        if child.schooling == "not_in_kindergarten":
            assert AS_OF.year - child.birth_date.year <= 6


def test_only_entrusted_guardians_are_evaluated(children: tuple[SyntheticChild, ...]) -> None:
    for child in children:
        entrusted = child.guardianship in ("grandparents", "relatives")
        assert entrusted == (child.guardian_eval is not None)


@pytest.mark.parametrize("district", [register.JIZHOU, 120118000000])
def test_a_district_without_villages_is_an_error(villages: list[Division], district: int) -> None:
    rest = [village for village in villages if county_of(village.code) != district]
    with pytest.raises(register.DistrictWithoutVillages, match=str(district)):
        generate(rest, as_of=AS_OF)
