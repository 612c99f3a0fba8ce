from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.police_reports import rules
from app.police_reports.models import Party, State, Step
from app.police_reports.rules import Office, Offices
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
    assert rules.offices(OFFICES, lineage(VILLAGE), suspect=suspect) == expected


def test_nobody_registered() -> None:
    assert rules.offices([], lineage(VILLAGE)) == Offices((), None, ())


def test_the_agency_reported_is_never_told() -> None:
    offices = rules.offices(OFFICES, lineage(VILLAGE), suspect=an_id(9))
    told = offices.told(an_id(9), an_id(2), None, suspect=an_id(9))
    assert told == tuple(map(an_id, (2, 4, 5, 6)))


def test_every_way_of_handling_in_the_code_list_has_measures() -> None:
    listed = next(v.value for v in queries.values() if v.name == "report.situations")
    ways = {situation["handled_as"] for situation in listed}
    assert {*ways, "parents_unreachable"} == set(rules.MEASURES)


def test_the_police_do_what_the_law_lists_for_the_situation() -> None:
    """REP-08…13, one by one: what is added or taken away is a decision, never an oversight."""
    assert {way: sorted(measures) for way, measures in rules.MEASURES.items()} == {
        "living_alone": [
            "entrusted_guardian_named",
            "parents_admonished",
            "parents_ordered_to_return",
        ],
        "guardian_failure": ["parents_contacted", "parents_returning", "relatives_entrusted"],
        "parents_unreachable": [
            "escorted_to_relative",
            "escorted_to_rescue_institution",
            "escorted_to_village_committee",
            "escorted_to_welfare_institution",
            "parents_notified",
        ],
        "missing": ["child_found", "search_started"],
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
        Step.TOWNSHIP_NOTIFIED,
    }
    assert {
        party: {step for step in Step if rules.shows_details(party, step)} for party in Party
    } == {
        Party.PROTECTION: {*Step},
        Party.POLICE: by_police,
        Party.REPORTER: set(),
        Party.ONLOOKER: set(),
    }


def test_overdue_is_past_the_moment_and_not_done() -> None:
    assert not rules.is_overdue(None, NOW, NOW)
    assert rules.is_overdue(None, NOW, NOW + timedelta(seconds=1))
    assert not rules.is_overdue(NOW, NOW, NOW + timedelta(seconds=1))
