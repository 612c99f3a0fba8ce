from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest

from app.police_reports import meaning, rules
from app.police_reports.models import Party, State, Step
from app.police_reports.rules import Office, Offices
from app.police_reports.schemas import DispositionKind
from app.policy import queries
from app.regions.rules import lineage

VILLAGE = 120119101200
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def an_id(number: int) -> UUID:
    return UUID(int=number)


@pytest.mark.parametrize(
    ("state", "step", "after", "early"),
    [
        (State.FILED, Step.DELIVERED, State.DELIVERED, False),
        (State.FILED, Step.ACKNOWLEDGED, State.ACKNOWLEDGED, False),
        (State.ACKNOWLEDGED, Step.DELIVERED, State.ACKNOWLEDGED, False),
        (State.DELIVERED, Step.DISPATCHED, State.DISPATCHED, True),
        (State.DISPATCHED, Step.DISPOSED, State.HANDLING, False),
        (State.ACKNOWLEDGED, Step.DISPOSED, State.HANDLING, True),
        (State.ASSESSED, Step.DISPOSED, State.ASSESSED, False),
        (State.HANDLING, Step.TOWNSHIP_NOTIFIED, State.TOWNSHIP_NOTIFIED, False),
        (State.HANDLING, Step.TOWNSHIP_RECEIVED, State.HANDLING, True),
        (State.HANDLING, Step.ASSESSED, State.ASSESSED, True),
        (State.ASSESSED, Step.SERVICES_ARRANGED, State.SERVICES_ARRANGED, False),
        (State.ASSESSED, Step.CLOSED, State.CLOSED, False),
        (State.FILED, Step.CLOSED, State.CLOSED, True),
        (State.CLOSED, Step.ACKNOWLEDGED, State.CLOSED, False),
    ],
)
def test_steps_move_forward_only_and_early_ones_are_flagged(state, step, after, early) -> None:
    assert rules.advance(state, step) == (after, early)


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", State)
def test_no_step_is_refused_and_no_state_goes_back(state, step) -> None:
    after, _ = rules.advance(state, step)
    assert list(State).index(after) >= list(State).index(state)


OFFICES = [
    Office(an_id(1), "police", 120119000000),
    Office(an_id(2), "police", 120119101000),
    Office(an_id(3), "police", 120119102000),
    Office(an_id(4), "township_government", 120119101000),
    Office(an_id(5), "civil_affairs", 120119000000),
    Office(an_id(6), "civil_affairs", 120000000000),
]


@pytest.mark.parametrize(
    ("suspect", "expected"),
    [
        (None, Offices((an_id(2), an_id(1)), an_id(4), (an_id(5), an_id(6)))),
        (an_id(2), Offices((an_id(1),), an_id(4), (an_id(5), an_id(6)))),
        (an_id(4), Offices((an_id(2), an_id(1)), an_id(5), (an_id(5), an_id(6)))),
        (an_id(5), Offices((an_id(2), an_id(1)), an_id(4), (an_id(6),))),
    ],
)
def test_nearest_office_of_each_kind_the_reported_one_passed_over(suspect, expected) -> None:
    assert rules.offices(OFFICES, lineage(VILLAGE), hidden=[suspect]) == expected


NEXT = 120119102200
AT_HOME = [*OFFICES, Office(an_id(7), "township_government", 120119102000)]


@pytest.mark.parametrize(
    ("suspect", "township", "also"),
    [
        (None, 7, [4]),  # the child's own township is in charge; that of the place is told
        (an_id(7), 4, []),
        (an_id(4), 7, []),
    ],
)
def test_the_township_of_the_home_comes_before_that_of_the_place(suspect, township, also) -> None:
    found = rules.offices(AT_HOME, lineage(VILLAGE), hidden=[suspect], home=lineage(NEXT))
    assert (found.township, found.also) == (an_id(township), tuple(map(an_id, also)))
    assert found.police == (an_id(2), an_id(1))
    assert suspect not in found.told(hidden=[suspect])


def test_a_home_with_no_township_registered_leaves_it_to_the_place() -> None:
    found = rules.offices(OFFICES, lineage(VILLAGE), home=lineage(NEXT))
    assert (found.township, found.also) == (an_id(4), ())


def test_where_the_child_lived_before_is_told_too() -> None:
    former = lineage(NEXT)[:-1]
    found = rules.offices(AT_HOME, lineage(VILLAGE), home=lineage(VILLAGE), former=former)
    assert (found.township, found.also) == (an_id(4), (an_id(7),))


def test_nobody_registered() -> None:
    assert rules.offices([], lineage(VILLAGE)) == Offices((), None, ())


def test_the_agency_reported_is_never_told() -> None:
    offices = rules.offices(OFFICES, lineage(VILLAGE), hidden=[an_id(9)])
    told = offices.told(an_id(9), an_id(2), None, hidden=[an_id(9)])
    assert told == tuple(map(an_id, (2, 4, 5, 6)))


def shipped(name: str) -> list[dict[str, Any]]:
    """What the nation says now."""
    newest: list[dict[str, Any]] = [
        value.value for value in queries.values() if value.name == name and not value.region_code
    ][-1]
    return newest


def of_kind() -> dict[str, set[str]]:
    return {
        kind: {each["code"] for each in shipped("report.measures") if kind in each["kinds"]}
        for kind in get_args(DispositionKind)
    }


def test_every_way_of_handling_in_the_code_list_has_measures() -> None:
    ways = {way for each in shipped("report.situations") for way in each["handled_as"]}
    assert ways == {kind for kind, measures in of_kind().items() if measures}


def test_whatever_is_required_is_a_measure_of_its_kind() -> None:
    required = shipped("report.required_measures")
    assert {each["kind"] for each in required} == set(get_args(DispositionKind))
    for each in required:
        assert set(each["one_of"]) <= of_kind()[each["kind"]]
    for each in shipped("report.measures"):
        follows = set(each.get("then", ()))
        assert follows <= set().union(*(of_kind()[kind] for kind in each["kinds"]))
        for kind in each["kinds"]:
            assert not follows or follows & of_kind()[kind]


@pytest.mark.parametrize(
    ("kind", "told", "gaps"),
    [
        # REP-08: order the parents back OR name an entrusted guardian; AND admonish them.
        ("living_alone", {"parents_admonished"}, 1),
        ("living_alone", {"parents_ordered_to_return", "parents_admonished"}, 0),
        ("living_alone", {"entrusted_guardian_named", "parents_admonished"}, 0),
        ("living_alone", {"entrusted_guardian_named", "parents_ordered_to_return"}, 1),
        # REP-09: contact the parents OR entrust other relatives.
        ("guardian_failure", {"relatives_entrusted"}, 0),
        ("guardian_failure", {"parents_contacted"}, 0),
        ("guardian_failure", set(), 1),
        # REP-10: escort to one of four, and help notify the parents.
        ("parents_unreachable", {"escorted_to_relative"}, 1),
        ("parents_unreachable", {"parents_notified"}, 1),
        ("parents_unreachable", {"escorted_to_relative", "parents_notified"}, 0),
        ("parents_unreachable", {"escorted_to_village_committee", "parents_notified"}, 0),
        ("parents_unreachable", {"escorted_to_rescue_institution", "parents_notified"}, 0),
        ("parents_unreachable", {"escorted_to_welfare_institution", "parents_notified"}, 0),
        # REP-11: by the rapid search.
        ("missing", {"child_found"}, 1),
        # REP-12, REP-13: stop it, tell civil affairs; evidence, treatment, appraisal.
        ("domestic_violence", {"violence_stopped", "warning_letter_issued"}, 4),
        ("domestic_violence", set(), 5),
        ("other_harm", set(), 5),
        ("other_harm", {"harm_stopped", "child_protected", "evidence_collected"}, 2),
    ],
)
def test_what_the_law_asks_for_and_nobody_told_of_is_a_gap(kind, told, gaps) -> None:
    assert len(rules.gaps(kind, told, shipped("report.required_measures"))) == gaps


VIOLENCE = {"domestic_violence": ["domestic_violence"]}
ALONE = {"living_alone": ["living_alone", "parents_unreachable"]}


@pytest.mark.parametrize(
    ("answers", "others", "kinds", "before", "taken"),
    [
        (VIOLENCE, False, ["living_alone"], [], False),
        (VIOLENCE, False, ["living_alone"], ["domestic_violence"], True),
        (VIOLENCE, False, ["living_alone", "domestic_violence"], [], True),
        (ALONE, False, ["parents_unreachable"], [], True),
        ({**VIOLENCE, **ALONE}, False, ["other_harm"], ["domestic_violence"], False),
        ({}, True, ["other_harm"], [], False),
        ({**VIOLENCE}, True, ["living_alone"], ["domestic_violence"], False),
        ({**VIOLENCE}, True, ["domestic_violence"], [], True),
    ],
)
def test_a_kind_answers_or_stands_beside_what_has_its_answer(
    answers, others, kinds, before, taken
) -> None:
    listed = [{"code": code, "handled_as": ways} for code, ways in answers.items()]
    asked = rules.reported(answers, listed, get_args(DispositionKind), others=others)
    assert asked.takes(kinds, before) is taken


def test_what_no_list_knows_any_more_any_kind_answers() -> None:
    asked = rules.reported(["withdrawn"], [], ["missing", "other_harm"], others=False)
    assert asked.handled(["missing"])
    assert not asked.handled([])


def test_the_police_do_what_the_law_lists_for_the_situation() -> None:
    """REP-08…13, 22, one by one: what is added or taken away is a decision, never an oversight."""
    of_abandonment = ["abandonment_admonished", "abandonment_prosecuted", "abandonment_punished"]
    assert {way: sorted(measures) for way, measures in of_kind().items()} == {
        "living_alone": [
            "entrusted_guardian_named",
            "parents_admonished",
            "parents_not_returned",
            "parents_ordered_to_return",
            "parents_returned",
        ],
        "guardian_failure": [
            *of_abandonment,
            "parents_contacted",
            "parents_not_returned",
            "parents_returned",
            "parents_returning",
            "relatives_entrusted",
        ],
        "parents_unreachable": [
            *of_abandonment,
            "escorted_to_relative",
            "escorted_to_rescue_institution",
            "escorted_to_village_committee",
            "escorted_to_welfare_institution",
            "parents_notified",
        ],
        "missing": ["child_found", "search_ended", "search_started"],
        "domestic_violence": [
            "civil_affairs_notified",
            "evidence_collected",
            "injury_appraisal_arranged",
            "medical_care_arranged",
            "placed_in_rescue_institution",
            "placed_in_shelter",
            "placed_in_welfare_institution",
            "violence_stopped",
            "warning_letter_issued",
        ],
        "other_harm": [
            "child_protected",
            "evidence_collected",
            "harm_stopped",
            "injury_appraisal_arranged",
            "medical_care_arranged",
        ],
    }


def test_each_party_reads_of_a_report_what_it_needs() -> None:
    assert {party for party in Party if rules.shows_report(party)} == {*Party} - {Party.ONLOOKER}
    assert {party for party in Party if rules.shows_reporter_agency(party)} == {
        Party.POLICE,
        Party.REPORTER,
    }
    by_police = {
        Step.ACKNOWLEDGED,
        Step.FORWARDED,
        Step.DISPATCHED,
        Step.DISPOSED,
        Step.OMISSION_CONFIRMED,
        Step.OMISSION_REJECTED,
        Step.INVESTIGATED,
        Step.TOWNSHIP_NOTIFIED,
    }
    assert {
        party: {step for step in Step if rules.shows_details(party, step)} for party in Party
    } == {
        Party.PROTECTION: {*Step} - {Step.ASSISTED},
        Party.POLICE: {*by_police, Step.ASSISTED},
        Party.REPORTER: {Step.ASSISTED},
        Party.ONLOOKER: set(),
    }


FOUND = NOW - timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("at", "doubted"),
    [
        (NOW, False),
        (NOW + 5 * MINUTE, False),
        (NOW + 6 * MINUTE, True),
        (FOUND, False),
        (FOUND - 5 * MINUTE, False),
        (FOUND - 6 * MINUTE, True),
    ],
)
def test_a_clock_ahead_of_ours_or_behind_the_finding_is_in_doubt(at, doubted) -> None:
    step = {"at": at, "recorded_at": NOW}
    assert rules.doubted(step, FOUND) is doubted
    assert rules.happened(step, FOUND) == (NOW if doubted else at, NOW)


def test_a_finding_told_by_a_clock_ahead_casts_no_doubt_on_others() -> None:
    step = {"at": NOW, "recorded_at": NOW}
    assert not rules.doubted(step, NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("step", "disposed_as", "acknowledged_at", "state"),
    [
        (Step.DISPOSED, ["missing"], NOW, State.HANDLING),
        (Step.DISPATCHED, ["missing"], NOW, State.DISPATCHED),
        (Step.ASSESSED, ["missing"], NOW, State.ASSESSED),
        (Step.IDENTIFIED, ["missing"], NOW, State.HANDLING),
        (Step.IDENTIFIED, [], NOW, State.ACKNOWLEDGED),
        (Step.IDENTIFIED, [], None, State.FILED),
    ],
)
def test_a_reopened_case_goes_on_from_what_is_owed(
    step, disposed_as, acknowledged_at, state
) -> None:
    report = {"disposed_as": disposed_as, "acknowledged_at": acknowledged_at}
    assert rules.reopened(report, step) is state


def test_proof_and_receipts_open_nothing_again() -> None:
    assert {*Step} - rules.REOPENING == {
        *(Step.DELIVERED, Step.TOWNSHIP_RECEIVED, Step.JOINED, Step.SEPARATED, Step.ASSISTED),
        *(Step.CLOSURE_PROPOSED, Step.CLOSED, Step.REOPENED),
        *(Step.OMISSION_CONFIRMED, Step.INVESTIGATED),
    }


def test_overdue_is_past_the_moment_and_not_done() -> None:
    assert not rules.is_overdue(None, NOW, NOW)
    assert rules.is_overdue(None, NOW, NOW + timedelta(seconds=1))
    assert not rules.is_overdue(NOW, NOW, NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("福利院的保育员", "welfare_institution"),
        ("培训中心", "training_institution"),
        ("救助管理中心", "rescue_institution"),
        ("小王", "village_committee"),
        ("小李", "hospital"),
        ("医务室的王医生", "school"),
        ("食堂园丁", "school"),
        ("村里来的厨师", "school"),
        ("门卫室的退休民警", "school"),
        ("学军叔", "village_committee"),
    ],
)
def test_words_may_mean_ones_own_though_they_hold_a_mark_of_others(words: str, kind: str) -> None:
    assert meaning.may_mean_own(words, kind)
