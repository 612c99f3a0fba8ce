"""A slip in the rules stops every process at its start, with the line and the name meant."""

import sys
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import create_model

from app import cli, main, wiring, worker
from app.core import data_files
from app.core.data_files import BadDataFile
from app.core.jobs import events
from app.core.jobs.events import BadEvent, Event
from app.core.settings import Settings
from app.duties import models, rulebook
from app.duties.rules import Rule

NAME = "app/duties/rules.yaml"
RULES = """\
VIS-01:
  title: {zh: 测, en: test}
  carries: [VIS-01]
  bearer: {role: village_director}
  opens:
    every: quarter
    children: {category: any}
    also_on: [children.child_registered]
  due: {at: end_of_period}
  evidence:
    event: visits.visit_recorded
    corrected_by: visits.visit_corrected
    match: child_id
    "on": visited_on
    where: {channel: [in_person], abnormal: [false]}
    counts_from: period
  seen_by: [village_director]
  escalates: [{after: P0D, to: [village_director]}]
REP-07:
  title: {zh: 测, en: test}
  carries:
    - REP-07
  bearer:
    role: police
    agency_fields: [police_agency_id]
    passed_on_by: police_reports.report_forwarded
  opens:
    event: police_reports.report_filed
  due:
    field: acknowledge_due_at
    parameter: report.acknowledge_within_minutes
  evidence:
    event: police_reports.report_acknowledged
    match: subject_id
    counts_from: same_day
  cancelled_by: [police_reports.report_superseded]
  seen_by: [civil_affairs]
  escalates: [{after: P0D, to: [civil_affairs]}]
VIS-03:
  title: {zh: 测, en: test}
  carries: [VIS-03]
  bearer: {role: village_director}
  opens: {event: visits.abnormal_finding, arose_on: visited_on}
  due: {within: P1DT2H3M, source: test}
  evidence: {event: visits.visit_recorded, match: child_id, counts_from: next_day}
  seen_by: [village_director]
  escalates: [{after: P0D, to: [village_director]}]
"""


@pytest.fixture(scope="module", autouse=True)
def _events() -> None:
    wiring.load()


def refused(text: str) -> str:
    with pytest.raises(BadDataFile) as refusal:
        rulebook.check(data_files.parse(NAME, text))
    return str(refusal.value)


def test_the_rules_in_force_name_nothing_unknown() -> None:
    rulebook.check(rulebook.file())
    rulebook.check(data_files.parse(NAME, RULES))


def test_reads_a_rule() -> None:
    rule = data_files.parse(NAME, RULES).parts(Rule, "code")["VIS-03"]
    assert rule.due.within == timedelta(days=1, hours=2, minutes=3)
    assert rule.listens_to == {"visits.abnormal_finding", "visits.visit_recorded"}


def test_who_passes_a_duty_on_says_until_when_it_is_owed_anew() -> None:
    text = RULES.replace("police_reports.report_forwarded", "police_reports.report_disposed")
    missing = "no field of police_reports.report_disposed is called acknowledge_due_at"
    assert refused(text).endswith(missing)


def test_what_opens_a_duty_or_passes_it_on_may_leave_day_deadline_and_agency_unsaid(
    monkeypatch,
) -> None:
    unsaid: dict[str, Any] = {
        "visited_on": (date | None, None),
        "acknowledge_due_at": (datetime | None, None),
        "police_agency_id": (UUID | None, None),
    }
    for name in (
        "visits.abnormal_finding",
        "police_reports.report_filed",
        "police_reports.report_forwarded",
    ):
        vague = create_model("Vague", __base__=events.kinds()[name], **unsaid)
        monkeypatch.setitem(events.kinds(), name, vague)
    rulebook.check(data_files.parse(NAME, RULES))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abnormal: [false]", "abnormal: [true]"),
        (
            "event: police_reports.report_acknowledged",
            "event: police_reports.report_filed\n    where: {urgency: [immediate]}",
        ),
    ],
    ids=["a yes", "one of a few words"],
)
def test_a_deed_may_count_by(before: str, after: str) -> None:
    rulebook.check(data_files.parse(NAME, RULES.replace(before, after, 1)))


SLIPS = r"""
title: {zh: 测, → title: {zh: test, → the Chinese title test is not Chinese
event: visits.visit_recorded → event: visits.visit_recordet → no event is called visits.visit_recordet; did you mean visits.visit_recorded?
event: police_reports.report_filed → event: police_reports.report_field → no event is called police_reports.report_field; did you mean police_reports.report_filed?
corrected_by: visits.visit_corrected → corrected_by: visit.visit_corrected → no event is called visit.visit_corrected; did you mean visits.visit_corrected?
[police_reports.report_superseded] → [police_reports.superseded] → no event is called police_reports.superseded; did you mean police_reports.report_superseded?
passed_on_by: police_reports.report_forwarded → passed_on_by: police_reports.forwarded → no event is called police_reports.forwarded; did you mean police_reports.report_forwarded?
[children.child_registered] → [children.child_registred] → no event is called children.child_registred; did you mean children.child_registered?
"on": visited_on → "on": visited_at → no field of visits.visit_recorded is called visited_at; did you mean visited_on?
"on": visited_on → "on": child_id → child_id of visits.visit_recorded is not always a day
arose_on: visited_on → arose_on: visted_on → no field of visits.abnormal_finding is called visted_on; did you mean visited_on?
arose_on: visited_on → arose_on: types → types of visits.abnormal_finding is not always a day
field: acknowledge_due_at → field: acknowledged_due_at → no field of police_reports.report_filed is called acknowledged_due_at; did you mean acknowledge_due_at?
field: acknowledge_due_at → field: urgency → urgency of police_reports.report_filed is not always an instant
[police_agency_id] → [police_agency] → no field of police_reports.report_filed is called police_agency; did you mean police_agency_id?
[police_agency_id] → [fetch] → fetch of police_reports.report_filed is not always an id
[police_agency_id] → [supersedes] → no field of police_reports.report_forwarded is called supersedes
match: subject_id → match: child_id → no field of police_reports.report_filed is called child_id
{event: visits.visit_recorded, match → {event: police_reports.report_filed, match → no field of police_reports.report_filed is called child_id
channel: [in → chanel: [in → no field of visits.visit_recorded is called chanel; did you mean channel?
[in_person] → [in_persom] → no channel of visits.visit_recorded is called in_persom; did you mean in_person?
[false] → [never] → no abnormal of visits.visit_recorded is called never
channel: [in_person] → child_id: [x] → child_id of visits.visit_recorded has no closed list of codes
event: police_reports.report_acknowledged → event: dropout_alerts.child_returned → the subject of dropout_alerts.child_returned is alert, not report
[police_reports.report_superseded] → [dropout_alerts.alert_closed] → the subject of dropout_alerts.alert_closed is alert, not report
passed_on_by: police_reports.report_forwarded → passed_on_by: dropout_alerts.alert_closed → the subject of dropout_alerts.alert_closed is alert, not report
cancelled_by: [police_reports.report_superseded] → resumed_by: [dropout_alerts.alert_reopened] → the subject of dropout_alerts.alert_reopened is alert, not report
[children.child_registered] → [visits.visit_recorded] → the subject of visits.visit_recorded is visit, not child
corrected_by: visits.visit_corrected → corrected_by: dropout_alerts.child_returned → the subject of dropout_alerts.child_returned is alert, not visit
parameter: report.acknowledge_within_minutes → parameter: report.acknowledge_minutes → no policy parameter is called report.acknowledge_minutes; did you mean report.acknowledge_within_minutes?
parameter: report.acknowledge_within_minutes → parameter: lbc.age_limit → lbc.age_limit is no number of minutes or days
role: police → role: polise → no role is called polise; did you mean police?
seen_by: [civil_affairs] → seen_by: [civil_affair] → no role is called civil_affair; did you mean civil_affairs?
seen_by: [civil_affairs] → seen_by: [operator] → operator sees no duties: it lacks duties:read
seen_by: [civil_affairs] → seen_by: [school] → school has no region whose duties it could see
role: police → role: operator → operator sees no duties: it lacks duties:read
to: [civil_affairs] → to: [township_supervisor] → township_supervisor could not see the duty: add it to seen_by
seen_by: [civil_affairs] → waived_by: [civil_affairs]\n  seen_by: [civil_affairs] → REP-07 is owed without exception: never waived
seen_by: [village_director] → waived_by: [police]\n  seen_by: [village_director] → no role that sees it is called police
carries: [VIS-01] → waived_by: [civil_affairs]\n  carries: [VIS-01, VIS-02] → VIS-02 is owed without exception: never waived
seen_by: [village_director] → waived_by: [village_director]\n  seen_by: [village_director] → village_director owes it itself
bearer: {role: village_director} → bearer: {role: township_supervisor} → township_supervisor could not see the duty: add it to seen_by
VIS-01: → VlS-01: → no obligation is called VlS-01; did you mean VIS-01?
- REP-07 → - REP07 → no obligation is called REP07; did you mean REP-07?
counts_from: period → count_from: period → no key is called count_from; did you mean counts_from?
escalates: [{after: P0D, to: [civil → escalate: [{after: P0D, to: [civil → no key is called escalate; did you mean escalates?
{role: village_director} → {rôle: village_director} → no key is called rôle; did you mean role?
{category: any} → {category: [left_behing]} → no code is called left_behing; did you mean left_behind?
bearer: {role: village_director} → bearer: {role: school} → school has no region whose duties it could see
role: village_director} → role: school, agency_fields: [school]} → no agency of a child is called school; did you mean school_id?
role: village_director} → role: police, agency_fields: [school_id]} → no role of a school is called police
role: village_director} → role: school, or_roles: [police], agency_fields: [school_id]} → `or_roles` goes with `event`, or without `agency_fields`
{category: any} → {lacking: scool} → no value of opens.children.lacking is called scool; did you mean school?
role: village_director} → role: village_director, passed_on_by: children.child_changed} → `passed_on_by` goes with `event`
seen_by: [village_director] → resumed_by: [children.child_changed]\n  seen_by: [village_director] → `resumed_by` goes with `event`
role: village_director} → role: village_director, overseen_by: village_director} → `overseen_by` goes with `agency_fields`
{category: any} → {} → say which children
{category: any} → {category: []} → opens.children.category says nothing
{category: any} → {category: left_behind} → opens.children.category is a list: write [left_behind]
at: end_of_period → at: end_of_period, key: on_site → `key` goes with `parameter`
{category: any} → {from_age: 6, under_age: 6} → `from_age` is below `under_age`
{category: any} → {flags: any} → no key is called flags; did you mean flag?
every: quarter → every: quater → no value of opens.every is called quater; did you mean quarter?
"on": visited_on → on: visited_on → put the key on in quotes, YAML takes it for something else
counts_from: same_day → match: child_id → match is said twice
VIS-01: → VIS-02:\nVIS-01: → nothing is said of VIS-02
within: P1DT2H3M, source: test → within: P1D → `within` needs a `source`
within: P1DT2H3M → within: P1D, parameter: report.notice_within_minutes → say one of `at`, `day`, `within`, `working_days` and `parameter`
{within: P1DT2H3M, source: test} → {} → say one of `at`, `day`, `within`, `working_days` and `parameter`
within: P1DT2H3M, source: test → at: end_of_period → `at` and `day` go with `every`, all else with `event`
at: end_of_period → day: 07-15, source: test → `day` goes with `every: year`
at: end_of_period → day: 07-15 → `day` needs a `source`
at: end_of_period → day: 7-15, source: test → 7-15 is no day of every year, like 07-15
at: end_of_period → day: 02-29, source: test → 02-29 is no day of every year, like 07-15
at: end_of_period → dy: 07-15, source: test → no key is called dy; did you mean day?
at: end_of_period → at: end_of_period, field: visited_on → `field` goes with `within` or `parameter`
within: P1DT2H3M → within: P0D → P0D leaves no time
{event: visits.abnormal_finding, arose_on: visited_on} → {event: visits.abnormal_finding, children: {category: any}} → `children` goes with `every`
{event: visits.abnormal_finding, arose_on: visited_on} → {} → say one of `every` and `event`
{event: visits.abnormal_finding, arose_on → {every: quarter, children: {category: any}, arose_on → `also_on` goes with `every`, `arose_on` with `event`
{event: visits.abnormal_finding, → {every: quarter, event: visits.abnormal_finding, → say one of `every` and `event`
counts_from: next_day → counts_from: period → `counts_from: period` goes with `every`, all else with `event`
channel: [in_person] → channel: [] → evidence.where.channel says nothing
channel: [in_person] → channel: in_person → evidence.where.channel is a list: write [in_person]
escalates: [{after: P0D, to: [civil_affairs]}] → escalates: [] → escalates says nothing
to: [civil_affairs] → to: [] → escalates.to says nothing
to: [civil_affairs] → to: [civil_affair] → no role is called civil_affair; did you mean civil_affairs?
after: P0D, to: [civil_affairs] → after: P1D, to: [civil_affairs] → `after` needs a `source`
after: P0D, to: [civil_affairs] → after: P1D, source: test, to: [civil_affairs] → the first step is told at once: write after: P0D
after: P0D, to: [civil_affairs] → to: [civil_affairs] → say one of `after` and `working_days`
seen_by: [village_director] → seen_by: [village_director, civil_affairs] → no step of escalates reaches civil_affairs
[{after: P0D, to: [civil_affairs]}] → [{after: P0D, to: [civil_affairs]}, {after: P0D, to: [civil_affairs]}] → a step comes later than the one before it
[{after: P0D, to: [civil_affairs]}] → [{after: P0D, to: [civil_affairs]}, {working_days: 1, source: test, to: [civil_affairs]}] → the step counts as `due` does: write after
{zh: 测, en: test} → {zh: "", en: test} → title.zh says nothing
VIS-01: → VIS-01.Again: → after VIS-01. one word says which: small letters and _, 32 at most
[false] → ["true"] → no abnormal of visits.visit_recorded is called "true"; did you mean true?
[false] → [treu] → no abnormal of visits.visit_recorded is called treu; did you mean true?
channel: [in_person], abnormal: [false]} → as_role: [township_supervisor]} → village_director may owe it and could never do it: see `of_stand_in`
where: {channel: [in_person] → of_stand_in: [place]\n    where: {channel: [in_person] → no field of `where` is called place
match: subject_id → of_stand_in: [state]\n    match: subject_id → an agency owes it: nobody stands in for that
carries: [VIS-03] → carries: → carries says nothing
carries: [VIS-03] → carries: [VIS-02] → VIS-03 carries VIS-03 itself: add it
within: P1DT2H3M → within: P → P is no duration of days, hours and minutes, like P3D or PT2H
within: P1DT2H3M → within: 3 days → 3 days is no duration of days, hours and minutes, like P3D or PT2H
"""  # noqa: E501  a slip a line: what is right, what is written, what is said


@pytest.mark.parametrize("slip", SLIPS.strip().splitlines())
def test_a_slip_is_refused_with_its_line(slip: str) -> None:
    right, wrong, sentence = slip.replace(r"\n", "\n").split(" → ")
    assert right in RULES
    text = RULES.replace(right, wrong, 1)
    line = RULES[: RULES.index(right)].count("\n") + 1
    assert refused(text) == f"{NAME} line {line}: {sentence}"


def test_who_stands_in_is_one_who_can_be_named() -> None:
    """Who is told of what is late may come to owe it."""
    both = "[village_director, township_supervisor]"
    text = RULES.replace("to: [village_director]", f"to: {both}")
    text = text.replace("seen_by: [village_director]", f"seen_by: {both}")
    text = text.replace("abnormal: [false]}", "as_role: [village_director]}", 1)
    unable = "township_supervisor may owe it and could never do it: see `of_stand_in`"
    assert refused(text).endswith(unable)
    since = "counts_from: period"
    named = text.replace(since, f"of_stand_in: [as_role]\n    {since}", 1)
    rulebook.check(data_files.parse(NAME, named))
    by_channel = text.replace(since, f"of_stand_in: [channel]\n    {since}", 1)
    assert refused(by_channel).endswith("no channel that stands in is called township_supervisor")


def test_what_is_missing_is_named_at_the_line_around_it() -> None:
    line = RULES[: RULES.index("  evidence:")].count("\n") + 1
    text = RULES.replace("    match: child_id\n", "", 1)
    assert refused(text) == f"{NAME} line {line}: evidence.match is missing"


def test_broken_yaml_is_refused_with_its_line() -> None:
    assert refused("VIS-01:\n  title: {zh: 测").startswith(f"{NAME} line 2: ")
    assert refused("- VIS-01") == f"{NAME} line 1: names and what they mean are expected"


def test_the_index_of_deeds_that_may_be_hidden_holds_every_rule_with_one() -> None:
    told = "police_reports."  # what may be kept from who may see the duty
    (code,) = [
        code
        for code, rule in rulebook.rules().items()
        if rule.evidence.deed and rule.evidence.event.startswith(told)
    ]
    assert f"rule = '{code}'" in models.DONE_BY_HIDDEN


async def test_no_process_starts_with_a_slip(monkeypatch, capsys) -> None:
    slipped = RULES.replace("visits.visit_recorded", "visits.visit_recordet", 1)
    monkeypatch.setattr(rulebook, "file", lambda: data_files.parse(NAME, slipped))
    settings = Settings(environment="test")
    with pytest.raises(BadDataFile, match="line 11: .*visit_recordet"):
        main.create_app(settings)
    with pytest.raises(BadDataFile, match="line 11: .*visit_recordet"):
        await worker.run(settings)
    monkeypatch.setattr(sys, "argv", ["tonghu", "jobs", "held"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.strip() == (
        f"{NAME} line 11: no event is called visits.visit_recordet;"
        " did you mean visits.visit_recorded?"
    )


def test_two_events_of_one_name_are_refused() -> None:
    fields = {"__module__": "app.visits.events", "wire_name": "visits.visit_recorded"}
    with pytest.raises(BadEvent, match=r"two events are called visits\.visit_recorded"):
        type("Again", (Event,), {**fields, "subject": "visit"})


def test_an_event_without_a_subject_is_refused() -> None:
    fields = {"__module__": "app.visits.events", "wire_name": "visits.visit_forgotten"}
    with pytest.raises(BadEvent, match="does not say what it is about"):
        type("Forgotten", (Event,), fields)
    assert "visits.visit_forgotten" not in events.kinds()


def test_an_event_outside_the_program_is_not_among_its_events() -> None:
    class Elsewhere(Event):
        wire_name: ClassVar[str] = "tests.elsewhere"
        child_id: UUID

    assert "tests.elsewhere" not in events.kinds()
