from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.children.conditions import FACTS
from app.children.parents import ROLES
from app.children.rules import Derived, Facts, age_on, derive, policy_of
from app.children.sections import File
from app.policy import parameters, queries
from app.regions.rules import county_of
from tests.children.factories import WELL_LOOKED_AFTER

TODAY = date(2026, 11, 20)
NATION_LIKE = 110101001001  # a place with no rule of its own
BEIPIAO = 211381101000
TIANJIN = 120119101200
HEPING = 120101001000
SHANXI = 140105101001
ANHUI = 340103101001
LINXIANG = 530902101001
DEMO = parameters.demo_values_in(parameters.demo_file(), queries.parameters())
VALUES = (*queries.values(), *DEMO)
POOR_HEALTH = {"serious_illness", "severe_disability", "mental_disability", "hiv_no_work"}


def parent(
    role: str, *statuses: str | dict[str, Any], capacity: str | None = None
) -> dict[str, Any]:
    """A parent, assessed as able unless said otherwise or in poor health."""
    return {
        "role": role,
        "guardianship_capacity": capacity
        or (None if POOR_HEALTH & {*map(str, statuses)} else "full"),
        "work_region": "440300000000",
        "statuses": [
            {"status": s, "since": "2020-01-01"} if isinstance(s, str) else s for s in statuses
        ],
    }


def both(first: str, second: str) -> dict[str, Any]:
    return {"parents": [parent("father", first), parent("mother", second)]}


def facts(region: int = NATION_LIKE, **given: Any) -> Facts:
    sections: dict[str, Any] = {
        "hukou": {"registered": True, "type": "rural", "region_code": str(county_of(region))},
        "residence": {
            "lives_with": ["grandparents"],
            "rural_place": True,
            "rural_since": "2016-03-01",
        },
        "family": both("away", "away"),
        "guardianship": {"kind": "grandparents", **WELL_LOOKED_AFTER},
        "education": {"status": "enrolled"},
        "health": {"status": "healthy"},
        "welfare": {"poor": False},
    }
    birth_date = given.pop("birth_date", date(2016, 3, 1))
    return Facts(birth_date, region, File.model_validate({**sections, **given}))


def derived(child: Facts, on: date = TODAY) -> Derived:
    return derive(child, policy_of(VALUES, child.region_code, on), on)


def categories(child: Facts, on: date = TODAY) -> tuple[str, ...]:
    return derived(child, on).categories


def test_policy_and_code_know_the_same_facts() -> None:
    of_class = queries.parameters()["difficulty.taxonomy"].of_value["items"]
    condition = of_class["properties"]["any"]["items"]["properties"]
    assert {*condition["fact"]["enum"]} == {*condition["unless"]["enum"]} == {*FACTS}


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2010, 11, 20), date(2026, 11, 19), 15),
        (date(2010, 11, 20), date(2026, 11, 20), 16),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2026, 11, 20), date(2026, 11, 20), 0),
    ],
)
def test_age_is_completed_years(born: date, on: date, age: int) -> None:
    assert age_on(born, on) == age


ONE_AWAY_OTHER_INCAPABLE = {
    "parents": [parent("father", "away"), parent("mother", "at_home", capacity="none")]
}


UNGUARDED = {"guardianship": {"kind": "none", **WELL_LOOKED_AFTER}}
AWAY_2015 = {"parents": [parent(role, {"status": "away", "since": "2015-01-01"}) for role in ROLES]}
INCAPABLE_2015 = {
    "parents": [
        parent("father", {"status": "away", "since": "2015-01-01"}),
        parent("mother", {"status": "at_home", "since": "2015-01-01"}, capacity="none"),
    ]
}


@pytest.mark.parametrize(
    ("obligation", "region", "change", "left_behind"),
    [
        ("DEF-02", BEIPIAO, {}, True),
        ("DEF-02", BEIPIAO, {"family": ONE_AWAY_OTHER_INCAPABLE}, True),
        ("DEF-04", HEPING, {"family": ONE_AWAY_OTHER_INCAPABLE}, False),
        ("DEF-02", BEIPIAO, {"birth_date": date(2010, 11, 21)}, True),
        ("DEF-02", BEIPIAO, {"birth_date": date(2010, 11, 20)}, False),
        ("DEF-04", HEPING, {"birth_date": date(2010, 11, 20)}, True),
        ("DEF-04", HEPING, {"birth_date": date(2008, 11, 20)}, False),
        ("DEF-02", BEIPIAO, {"hukou": {"registered": True, "type": "urban"}}, True),
        ("DEF-01", TIANJIN, {"hukou": {"registered": True, "type": "urban"}}, False),
        ("DEF-01", TIANJIN, {"hukou": {"registered": False, "type": None}}, True),
        ("DEF-01", TIANJIN, {"hukou": {"registered": False, "type": "urban"}}, False),
        ("DEF-01", TIANJIN, {"hukou": {}}, False),
        ("DEF-01", TIANJIN, {"residence": {"lives_with": ["mother"]}}, False),
        ("DEF-01", TIANJIN, {"family": ONE_AWAY_OTHER_INCAPABLE}, True),
        ("DEF-01", TIANJIN, {"birth_date": date(2010, 11, 20)}, False),
        ("DEF-03", NATION_LIKE, {"family": both("away", "severe_disability")}, True),
        ("DEF-03", NATION_LIKE, {"family": both("away", "dead")}, True),
        ("DEF-05", LINXIANG, {"hukou": {"registered": True, "type": "urban"}}, True),
        ("DEF-05", LINXIANG, {"family": ONE_AWAY_OTHER_INCAPABLE}, True),
        ("DEF-05", LINXIANG, {"family": both("away", "at_home")}, False),
        ("DEF-05", LINXIANG, {"birth_date": date(2010, 11, 20)}, False),
        ("DEF-06", NATION_LIKE, {"family": ONE_AWAY_OTHER_INCAPABLE}, True),
        ("DEF-06", NATION_LIKE, {"birth_date": date(2010, 11, 20)}, False),
        ("DEF-06", NATION_LIKE, {"family": both("away", "at_home")}, False),
        ("DEF-06", NATION_LIKE, {"family": {"parents": [parent("father", "away")]}}, False),
    ],
)
def test_left_behind(
    obligation: str, region: int, change: dict[str, Any], *, left_behind: bool
) -> None:
    assert ("left_behind" in categories(facts(region, **change))) is left_behind


@pytest.mark.parametrize(
    ("region", "away_since", "left_behind"),
    [
        (HEPING, "2026-08-20", True),
        (HEPING, "2026-08-21", False),
        (HEPING, None, False),
        (BEIPIAO, "2026-11-20", True),
        (BEIPIAO, None, True),
        (BEIPIAO, "2026-11-21", False),
    ],
)
def test_months_away_count_only_where_policy_says_so(
    region: int, away_since: str | None, *, left_behind: bool
) -> None:
    gone = {"status": "away", "since": away_since}
    family = {"parents": [parent("father", gone), parent("mother", gone)]}
    assert ("left_behind" in categories(facts(region, family=family))) is left_behind


def test_a_status_that_ended_no_longer_counts() -> None:
    gone = {"status": "away", "since": "2020-01-01", "until": "2026-11-20"}
    family = {"parents": [parent("father", gone), parent("mother", "away")]}
    assert categories(facts(family=family)) == ("left_behind",)
    assert categories(facts(family=family), date(2026, 11, 21)) == ()


def test_where_a_child_lives_decides_in_linxiang() -> None:
    """DEF-05: the district's rules are for who lives there, wherever the household is registered"""
    hukou = {"registered": True, "type": "rural", "region_code": "530921000000"}
    moved_to_town = {"lives_with": ["grandparents"], "rural_place": False}
    for residence in ({}, {"residence": moved_to_town}):
        assert categories(facts(LINXIANG, hukou=hukou, **residence)) == ("left_behind",)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("dead", "dead"), "orphan"),
        (("not_found", "not_found"), "orphan"),
        (("dead", "not_found"), "orphan"),
        (("dead", "missing"), "orphan"),
        (("missing", "missing"), "orphan"),
        (("dead", "severe_disability"), "unattended"),
        (("severe_disability", "serious_illness"), "unattended"),
        (("dead", "deported"), "unattended"),
        (("dead", "remarried"), None),
        (("dead", "at_home"), None),
    ],
)
def test_orphan_and_unattended(pair: tuple[str, str], expected: str | None) -> None:
    found = set(categories(facts(family=both(*pair)))) & {"orphan", "unattended"}
    assert found == ({expected} if expected else set())


@pytest.mark.parametrize("region", [NATION_LIKE, SHANXI])
@pytest.mark.parametrize("status", ["dead", "not_found", "severe_disability"])
def test_nothing_is_held_to_be_so_of_a_parent_of_whom_nothing_is_known(region, status) -> None:
    found = categories(facts(region, family={"parents": [parent("father", status)]}))
    assert found == ()


@pytest.mark.parametrize(
    ("term_months", "on", "benefit"),
    [
        (60, date(2018, 6, 1), True),
        (59, date(2018, 6, 1), False),
        (6, TODAY, True),
        (5, TODAY, False),
    ],
)
def test_class_is_not_benefit(term_months: int, on: date, *, benefit: bool) -> None:
    """DEF-13 asks for no minimum, DEF-16 for five years; since 2020 six months do."""
    jailed = {"status": "imprisoned", "since": "2015-01-01", "term_months": term_months}
    family = {"parents": [parent("father", "dead"), parent("mother", jailed)]}
    family["parents"][0]["statuses"][0]["since"] = "2015-01-01"
    found = categories(facts(SHANXI, family=family), on)
    assert "difficulty.guardianship" in found
    assert ("unattended" in found) is benefit


@pytest.mark.parametrize(
    ("region", "change", "expected"),
    [
        (SHANXI, {"family": both("dead", "serious_illness")}, "difficulty.family"),
        (SHANXI, {"family": both("dead", "severe_disability")}, "difficulty.family"),
        (SHANXI, {"family": both("severe_disability", "severe_disability")}, "difficulty.family"),
        (SHANXI, {"welfare": {"poor": True}}, "difficulty.family"),
        (SHANXI, {"health": {"disability_card_no": "1" * 20}}, "difficulty.self"),
        (SHANXI, {"guardianship": {"harm": ["abuse"]}}, "difficulty.guardianship"),
        (SHANXI, {"guardianship": {"kind": "none"}}, "difficulty.guardianship"),
        (SHANXI, {"family": both("missing", "imprisoned")}, "difficulty.guardianship"),
    ],
)
def test_difficulty_classes(region: int, change: dict[str, Any], expected: str) -> None:
    assert expected in categories(facts(region, **change))


@pytest.mark.parametrize(
    ("pair", "so"),
    [
        (("dead", "missing"), True),
        (("dead", "remarried"), True),
        (("dead", "imprisoned"), True),
        (("missing", "severe_disability"), True),
        (("missing", "imprisoned"), True),
        (("severe_disability", "imprisoned"), True),
        (("missing", "missing"), True),
        (("imprisoned", "imprisoned"), True),
        (("dead", "at_home"), False),
        (("missing", "remarried"), False),
        (("remarried", "imprisoned"), False),
    ],
)
def test_shanxis_pairs_make_guardianship_difficult(pair: tuple[str, str], *, so: bool) -> None:
    """DEF-13, word for word, and 导致无法履行抚养义务和监护职责: nobody else does."""
    family = both(*pair)
    assert ("difficulty.guardianship" in categories(facts(SHANXI, family=family))) is so
    remarried = "remarried" in pair
    at_home = facts(SHANXI, family=family, residence={"lives_with": ["mother"]})
    assert ("difficulty.guardianship" in categories(at_home)) is (so and not remarried)


@pytest.mark.parametrize(
    ("other", "so"),
    [
        ({"status": "missing"}, True),
        ({"status": "mental_disability"}, True),
        ({"status": "hiv_no_work"}, True),
        ({"status": "imprisoned", "term_months": 60}, True),
        ({"status": "imprisoned", "term_months": 59}, False),
        ({"status": "left_home", "since": "2015-06-01"}, True),
        ({"status": "left_home", "since": "2015-06-02"}, False),
        ({"status": "serious_illness"}, False),
    ],
)
def test_shanxis_five_conditions_until_the_nation_has_its_own(
    other: dict[str, Any], *, so: bool
) -> None:
    """DEF-16, until 民发〔2019〕62号 takes its place."""
    dead = {"status": "dead", "since": "2015-01-01"}
    parents = [parent("father", dead), parent("mother", {"since": "2015-01-01", **other})]
    child = facts(SHANXI, family={"parents": parents}, birth_date=date(2000, 6, 2))
    assert ("unattended" in categories(child, date(2018, 6, 1))) is so
    assert categories(child, date(2018, 6, 2)) == (), "未满18周岁"
    ill = {"status": "serious_illness", "since": "2015-01-01"}
    family = {"parents": [parent("father", ill), parents[1]]}
    neither = facts(SHANXI, family=family, birth_date=date(2000, 6, 2))
    assert "unattended" not in categories(neither, date(2018, 6, 1)), "父母一方死亡"


def test_disability_without_a_card_is_no_class_of_its_own() -> None:
    assert "difficulty.self" not in categories(facts(SHANXI, health={"status": "disabled"}))


@pytest.mark.parametrize(
    "kind", ["sudden_event", "accidental_injury", "major_illness", "other"]
)  # DEF-14: 突发事件、意外伤害、重大疾病或其他特殊困难
def test_temporary_class_only_where_the_taxonomy_has_it_and_until_its_review(kind: str) -> None:
    welfare = {"hardships": [{"kind": kind, "since": "2026-11-01", "review_on": "2026-11-21"}]}
    assert "difficulty.temporary" in categories(facts(SHANXI, welfare=welfare))
    assert "difficulty.temporary" not in categories(facts(welfare=welfare))
    then = derived(facts(SHANXI, welfare={"poor": False, **welfare}), date(2026, 11, 21))
    assert "difficulty.temporary" not in then.categories
    assert then.undecided == ("difficulty.temporary",)


def test_nobody_is_out_of_school_before_school_age() -> None:
    at_home = facts(NATION_LIKE, education={"status": "not_in_school"})
    young = replace(at_home, birth_date=date(2020, 9, 1))
    assert derived(young).priority_flags == ()
    assert derived(replace(young, birth_date=date(2020, 8, 31))).priority_flags == (
        "out_of_school",
    )


@pytest.mark.parametrize(
    ("born", "education", "flags"),
    [
        (date(2010, 9, 1), {"status": "dropout", "stage": "junior_secondary"}, ("out_of_school",)),
        (date(2010, 9, 1), {"status": "graduated", "stage": "junior_secondary"}, ()),
        (date(2010, 9, 1), {"status": "dropout", "stage": "vocational"}, ()),
        (date(2010, 8, 31), {"status": "dropout", "stage": "junior_secondary"}, ()),
        (date(2009, 6, 1), {"status": "dropout", "stage": "junior_secondary"}, ()),
    ],
)
def test_compulsory_schooling_ends(born: date, education: dict[str, Any], flags: Any) -> None:
    child = facts(family=both("dead", "dead"), education=education, birth_date=born)
    assert derived(child).priority_flags == ("orphan", *flags)


def test_who_grew_up_has_neither_categories_nor_flags() -> None:
    grown = replace(facts(NATION_LIKE, family=both("dead", "dead")), birth_date=date(2008, 11, 20))
    assert derived(grown) == Derived((), ())


@pytest.mark.parametrize(
    ("region", "change", "flags"),
    [
        (NATION_LIKE, {}, ()),
        (NATION_LIKE, {"family": both("dead", "dead")}, ("orphan",)),
        (BEIPIAO, {"family": both("dead", "dead")}, ("orphan",)),
        (ANHUI, {"family": both("dead", "dead")}, ("orphan",)),
        (NATION_LIKE, {"guardianship": {"evaluation": "poor"}}, ("poor_guardianship",)),
        (NATION_LIKE, UNGUARDED, ("no_guardian", "poor_guardianship")),
        (TIANJIN, UNGUARDED, ("no_guardian",)),
        (NATION_LIKE, {"family": ONE_AWAY_OTHER_INCAPABLE}, ("poor_guardianship",)),
        (TIANJIN, {"family": ONE_AWAY_OTHER_INCAPABLE}, ()),
        (NATION_LIKE, {"education": {"status": "dropout"}}, ("out_of_school",)),
        (NATION_LIKE, {"education": {"status": "not_in_school"}}, ("out_of_school",)),
        (NATION_LIKE, {"hukou": {"registered": False}}, ("no_hukou",)),
        (NATION_LIKE, {"health": {"status": "disabled"}}, ("disabled",)),
        (NATION_LIKE, {"health": {"disability_type": "hearing"}}, ("disabled",)),
        (NATION_LIKE, {"health": {"status": "chronic"}}, ("ill",)),
    ],
)
def test_priority_flags(region: int, change: dict[str, Any], flags: tuple[str, ...]) -> None:
    assert derived(facts(region, **change)).priority_flags == flags


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (UNGUARDED, "no_guardian"),
        ({"family": INCAPABLE_2015}, "one_away_other_incapable"),
        ({"education": {"status": "dropout"}}, "out_of_school"),
        ({"hukou": {"registered": False}}, "no_hukou"),
        ({"health": {"status": "chronic"}}, "ill"),
        ({"health": {"status": "disabled"}}, "disabled"),
    ],
)
def test_the_campaign_of_anhui_ended_with_2017(change: dict[str, Any], flag: str) -> None:
    """DEF-19: "2017年底". Since then the nation's flags hold there."""
    child = facts(ANHUI, **{"family": AWAY_2015, **change}, birth_date=date(2010, 3, 1))
    assert flag in derived(child, date(2017, 12, 31)).priority_flags
    nation = replace(child, region_code=NATION_LIKE)
    day = date(2018, 1, 1)
    assert derived(child, day).priority_flags == derived(nation, day).priority_flags


def test_only_children_in_a_category_are_flagged() -> None:
    child = facts(family=both("at_home", "at_home"), hukou={"registered": False})
    found = derived(child)
    assert found == Derived((), (), lacking=found.lacking, next_change_on=found.next_change_on)


def test_nothing_follows_for_an_adult() -> None:
    child = facts(family=both("dead", "dead"), birth_date=date(2008, 11, 20))
    assert categories(child, date(2026, 11, 19)) == ("orphan",)
    assert categories(child) == ()
