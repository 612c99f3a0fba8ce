import re
from datetime import date
from typing import Any

import pytest

from app import wiring
from app.core.data_files import BadDataFile
from app.duties import rulebook
from app.policy import clauses, codelists, parameters, queries
from app.policy.rules import ParameterValue, effective
from app.regions import divisions
from app.regions.rules import NATION

DAY = date(2026, 6, 30)
BEIPIAO = 211381000000
TIANJIN = 120000000000
LINXIANG = 530902000000
DEMO_DISTRICT = 120101000000
GUANGDONG = 440000000000


def demo_values() -> tuple[ParameterValue, ...]:
    return parameters.demo_values_in(parameters.demo_file(), queries.parameters())


@pytest.fixture(scope="module")
def everywhere() -> tuple[ParameterValue, ...]:
    return queries.values() + demo_values()


def lbc(values: tuple[ParameterValue, ...], region: int) -> dict[str, Any]:
    names = ("age_limit", "parents_rule", "min_absence_months", "hukou_rule", "scope")
    return {name: effective(values, f"lbc.{name}", region, DAY).value for name in names}


def test_tianjin_and_the_nation_differ_in_the_hukou_test(
    everywhere: tuple[ParameterValue, ...],
) -> None:
    nation = {
        "age_limit": 16,
        "parents_rule": "both_or_one_incapable",
        "min_absence_months": 0,
        "hukou_rule": "any",
        "scope": "residence",
    }
    assert lbc(everywhere, NATION) == nation
    assert lbc(everywhere, 120119001001) == nation | {"hukou_rule": "rural"}
    cited = effective(everywhere, "lbc.hukou_rule", 120119001001, DAY)
    assert (cited.region_code, cited.citation) == (TIANJIN, "DEF-01")


def test_beipiao_and_the_masked_district_contradict_each_other(
    everywhere: tuple[ParameterValue, ...],
) -> None:
    beipiao = lbc(everywhere, BEIPIAO)
    assert beipiao["age_limit"] == 16
    assert beipiao["parents_rule"] == "both_or_one_incapable"
    assert beipiao["hukou_rule"] == "any"
    assert beipiao["min_absence_months"] == 0
    assert lbc(everywhere, DEMO_DISTRICT) == {
        "age_limit": 18,
        "parents_rule": "both_only",
        "min_absence_months": 3,
        "hukou_rule": "any",
        "scope": "origin",
    }


def test_linxiang_counts_by_residence(everywhere: tuple[ParameterValue, ...]) -> None:
    scope = effective(everywhere, "lbc.scope", LINXIANG, DAY)
    assert (scope.value, scope.region_code, scope.citation) == ("residence", LINXIANG, "DEF-05")


def test_the_masked_district_is_left_out_of_what_ships_for_real() -> None:
    assert not [v for v in queries.values() if v.region_code == DEMO_DISTRICT]
    demo = demo_values()
    assert {value.region_code for value in demo} == {DEMO_DISTRICT}
    assert all("DEMO" in value.citation for value in demo)


def test_children_are_counted_in_three_age_bands(everywhere: tuple[ParameterValue, ...]) -> None:
    bands = effective(everywhere, "stats.bands", TIANJIN, DAY).value
    assert [(band["from"], band["to"]) for band in bands] == [(0, 5), (6, 13), (14, 15)]


def test_dropout_thresholds_differ_by_province(everywhere: tuple[ParameterValue, ...]) -> None:
    def register_after(region: int) -> int:
        value: dict[str, int] = effective(everywhere, "dropout.thresholds", region, DAY).value
        assert value["open_after"] <= value["register_after"]
        return value["register_after"]

    # Beipiao lies in Liaoning and inherits its four weeks.
    assert [register_after(region) for region in (TIANJIN, GUANGDONG, BEIPIAO)] == [6, 6, 20]


def test_reportable_situations_are_those_of_both_texts(
    everywhere: tuple[ParameterValue, ...],
) -> None:
    early = effective(everywhere, "report.situations", TIANJIN, date(2018, 1, 1)).value
    assert [item["source"] for item in early] == [f"REP-01 ({n})" for n in (1, 1, 2, 3, 4)]
    now = effective(everywhere, "report.situations", TIANJIN, DAY).value
    assert now[:5] == early
    assert [item["source"][-3:] for item in now[5:]] == [f"({n})" for n in range(1, 10)]
    assert len({item["code"] for item in now}) == 14


def test_mass_organisations_report_in_beipiao_only(
    everywhere: tuple[ParameterValue, ...],
) -> None:
    def bearers(region: int, on: date) -> dict[str, list[str]]:
        value = effective(everywhere, "report.duty_bearers", region, on).value
        return {item["code"]: item.get("except_situations", []) for item in value}

    for on in (date(2018, 1, 1), date(2021, 1, 1), DAY):
        nation, local = bearers(NATION, on), bearers(BEIPIAO, on)
        assert nation.keys() < local.keys()
        assert local["womens_federation"] == ["missing"]
        assert "womens_federation" not in nation
    situations = effective(everywhere, "report.situations", BEIPIAO, DAY).value
    assert "missing" in {item["code"] for item in situations}


def test_unattended_needs_years_in_shanxi_and_months_in_the_nation(
    everywhere: tuple[ParameterValue, ...],
) -> None:
    shanxi = 140000000000
    local = effective(everywhere, "unattended.rule_set", shanxi, date(2018, 1, 1)).value
    assert local["min_months"] == {"imprisoned": 5 * 12, "left_home": 3 * 12}
    now = effective(everywhere, "unattended.rule_set", shanxi, DAY).value
    assert set(now["min_months"].values()) == {6}
    assert "deported" in now["other_parent"]
    before = effective(everywhere, "unattended.rule_set", TIANJIN, date(2018, 1, 1)).value
    assert before["rule_set"] == "none"


def test_difficulty_has_three_classes_and_four_in_shanxi(
    everywhere: tuple[ParameterValue, ...],
) -> None:
    def codes(region: int) -> list[str]:
        value = effective(everywhere, "difficulty.taxonomy", region, DAY).value
        return [item["code"] for item in value]

    assert codes(NATION) == ["family", "self", "guardianship"]
    assert codes(140000000000) == ["family", "self", "guardianship", "temporary"]


def test_priority_flags_differ_by_place(everywhere: tuple[ParameterValue, ...]) -> None:
    def flags(region: int, on: date) -> set[str]:
        return set(effective(everywhere, "priority.flags", region, on).value)

    campaign = date(2017, 12, 31)
    assert "orphan" in flags(TIANJIN, campaign)
    assert "orphan" not in flags(340000000000, campaign)
    assert "one_away_other_incapable" in flags(340000000000, campaign)
    assert flags(340000000000, DAY) == flags(TIANJIN, DAY)


def test_every_value_stands_on_a_real_place(everywhere: tuple[ParameterValue, ...]) -> None:
    places = {division.code for division in divisions.shipped()} | {NATION}
    assert {value.region_code for value in everywhere} <= places


def test_every_obligation_cited_exists(everywhere: tuple[ParameterValue, ...]) -> None:
    known = {obligation["id"] for obligation in clauses.obligations()}
    cited = {
        reference
        for value in everywhere
        for reference in re.findall(r"\b[A-Z]{3}-\d\d\b", value.citation)
    }
    assert cited <= known
    assert len(cited) > 30


def test_every_contradiction_is_answered() -> None:
    assert sorted(map(int, parameters.file().content["contradictions"])) == list(range(1, 31))


def test_a_parameter_that_code_reads_is_declared_or_nothing_starts() -> None:
    assert queries.lookup("report.situations")(0, date(2026, 1, 1))
    said = "no policy parameter is called report.situation; did you mean report.situations\\?"
    with pytest.raises(BadDataFile, match=rf"app/policy/data/parameters\.yaml line \d+: {said}"):
        queries.lookup("report.situation")


def test_every_parameter_is_read_or_waits_for_what_is_not_carried_yet() -> None:
    wiring.load()
    read = {*queries.read_by_code()}
    read |= {each.parameter for each in codelists.codelists().values() if each.parameter}
    read |= {each.due.parameter for each in rulebook.rules().values() if each.due.parameter}
    declared = queries.parameters()
    waiting = {name for name, said in declared.items() if said.waits_for}
    assert waiting == declared.keys() - read
    carried = {each.id for each in clauses.load() if each.state == "carried"}
    known = {each.id for each in clauses.load()}
    for name in waiting:
        assert {*declared[name].waits_for} <= known - carried, name
