"""A value of a policy parameter is tried before it is set."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

import pytest

from app.children import counting, derivation, rederiving, trials
from app.children.told import Told
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs import queue
from app.policy import queries as policy
from app.policy.rules import ParameterValue
from tests.access.factories import a_caller
from tests.children.conftest import OTHER_COUNTY_VILLAGE
from tests.children.factories import a_child, a_file
from tests.conftest import NOW, VILLAGE
from tests.jobs import run_jobs

COUNTY = 120119000000
BEYOND = 120120101201
DISTRICT = f"{COUNTY:012d}"
SCHOOL = {"from_age": 6, "to_age": 15, "reckoned_on": [8, 31]}
YOUNGER = {"parameter": "lbc.age_limit", "region_code": DISTRICT, "value": 10}


@pytest.fixture
async def civil(database: Database, settings):
    return await a_caller(database, settings, "civil_affairs", COUNTY)


@pytest.fixture
def another_policy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Set a value, as a release would."""

    def put(name: str, region: int, value: Any) -> None:
        kept = [each for each in policy.values() if (each.name, each.region_code) != (name, region)]
        new = ParameterValue(name, region, date(2026, 1, 1), None, value, "-")
        monkeypatch.setattr(policy, "values", lambda: (*kept, new))
        _forget()

    yield put
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    for each in (derivation.policy_on, derivation._policy_changes_on, derivation.made_by):
        each.cache_clear()


@pytest.fixture
async def six(open_file, director) -> list[str]:
    """Children of 4 to 14 years, all left behind; one of them lacks what decides it."""
    ids = []
    for years in (4, 6, 8, 10, 12, 14):
        born = {"birth_date": f"{2026 - years}-03-01", "resident_id": None, "name": f"样{years}"}
        file = {"identity": {**a_file(VILLAGE)["identity"], **born}}
        if years == 14:
            file["family"] = {}
        if years == 12:
            gone = [{"status": "away", "since": "2025-01-01"}]
            family = a_file(VILLAGE)["family"]["parents"]
            file["family"] = {"parents": [{**each, "statuses": gone} for each in family]}
        ids.append((await open_file(director, **file)).json()["id"])
    return ids


@pytest.fixture(autouse=True)
def to_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few children are looked at here."""
    monkeypatch.setattr(trials, "_NEAREST", 1)


async def test_nothing_is_told_of_one_child(client, civil, six, monkeypatch) -> None:
    """However the value is put: six are in a category, and one is what is asked for."""
    monkeypatch.setattr(trials, "_NEAREST", 5)
    [left] = (await tried(client, civil)).json()["effects"]
    assert (left["code"], left["before"]) == ("left_behind", {"count": 5, "low": 3, "high": 7})


async def tried(client, who, **asked: Any) -> Any:
    return await client.post(
        "/v1/children/policy-trials", json={**YOUNGER, **asked}, headers=who.headers
    )


async def in_categories(database: Database) -> Counter[tuple[str, str]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT categories AS category, priority_flags AS flag, undecided FROM children"
        )
    return Counter((kind, code) for row in rows for kind, codes in row.items() for code in codes)


def counted(answer: Any, what: str) -> Counter[tuple[str, str]]:
    found = {(e["kind"], e["code"]): e[what]["count"] for e in answer.json()["effects"]}
    return Counter({key: count for key, count in found.items() if count})


@pytest.mark.parametrize(
    ("parameter", "value"), [("lbc.age_limit", 10), ("lbc.min_absence_months", 36)]
)
async def test_what_is_tried_is_what_comes_of_it(
    client, database: Database, civil, six, another_policy, parameter: str, value: int
) -> None:
    before = await in_categories(database)
    answer = await tried(client, civil, parameter=parameter, value=value)
    said = answer.json()
    assert (answer.status_code, said["exact"], said["files"], said["looked_at"]) == (
        200,
        True,
        6,
        6,
    )
    assert counted(answer, "before") == before == await in_categories(database)
    another_policy(parameter, COUNTY, value)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.rederive", [{}])
    await run_jobs(database)
    after = await in_categories(database)
    assert counted(answer, "after") == after != before
    gained, lost = counted(answer, "gained"), counted(answer, "lost")
    assert +(before + gained - lost) == after
    again = await tried(client, civil, parameter=parameter, value=value)
    assert counted(again, "before") == after


async def test_what_is_stored_is_taken_for_what_is_only_if_these_rules_say_so_today(
    client, database: Database, civil, six, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.begin(SYSTEM) as tx:
        while await rederiving.rederive(tx, COUNTY):
            pass
        await tx.connection.execute("UPDATE children SET categories = '{orphan}'")
    assert counted(await tried(client, civil), "before")["category", "orphan"] == 6
    with monkeypatch.context() as by_others:
        by_others.setattr(derivation, "made_by", lambda: "others")
        assert counted(await tried(client, civil), "before")["category", "orphan"] == 0
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET next_change_on = '2026-11-20'")
    assert counted(await tried(client, civil), "before")["category", "orphan"] == 0


async def test_only_who_lives_there_is_looked_at(
    client, database: Database, settings, six, open_file
) -> None:
    """Whoever may know of more tries a value in a part of it."""
    city = await a_caller(database, settings, "civil_affairs", 120100000000)
    for place in (OTHER_COUNTY_VILLAGE, BEYOND):
        await a_child(database, place, categories=["left_behind"])
    said = (await tried(client, city)).json()
    assert (said["files"], said["looked_at"]) == (6, 6)
    everywhere = (await tried(client, city, region_code="120100000000")).json()
    assert (everywhere["files"], everywhere["looked_at"]) == (8, 8)


async def test_what_others_told_of_a_child_counts(client, database: Database, civil, six) -> None:
    """Else whoever is out of school by the register alone would be lost under any value."""
    fact = {"since": NOW.date(), "until": None, "source_id": (source := new_id())}
    told = Told(kind="out_of_school", stated_by=None, **fact)
    async with database.begin(SYSTEM) as tx:
        await derivation.tell(tx, UUID(six[3]), "out_of_school", source, told)
    answer = await tried(client, civil, value=17)
    assert counted(answer, "before")["flag", "out_of_school"] == 1
    assert counted(answer, "after")["flag", "out_of_school"] == 1


async def test_a_nearer_value_stays(client, civil, six, another_policy) -> None:
    another_policy("lbc.age_limit", VILLAGE, 16)
    answer = await tried(client, civil)
    assert counted(answer, "before") == counted(answer, "after")
    assert not counted(answer, "lost")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"value": "ten"}, "value_invalid"),
        ({"value": 19}, "value_invalid"),
        ({"value": 10.0}, "value_invalid"),
        ({"parameter": "lbc.min_absence_months", "value": 3.0}, "value_invalid"),
        ({"parameter": "school.compulsory", "value": {**SCHOOL, "from_age": 6.0}}, "value_invalid"),
        *(
            ({"parameter": "school.compulsory", "value": {**SCHOOL, "reckoned_on": day}}, said)
            for day, said in (([31, 31], "value_invalid"), ([2, 30], "value_invalid"))
        ),
        *(
            ({"parameter": "orphan.rule", "value": {"age_limit": 18, "any": [fact] * 100}}, said)
            for fact, said in (({"fact": "poor"}, "value_invalid"), ([], "value_invalid"))
        ),
        ({"parameter": "visit.interval"}, "parameter_not_tried"),
        ({"parameter": "lbc.nothing"}, "parameter_not_tried"),
    ],
)
async def test_what_is_no_value_of_it_is_refused(client, civil, asked: Any, code: str) -> None:
    answer = await tried(client, civil, **asked)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)


async def test_what_takes_days_to_check_is_refused_unchecked(
    client, civil, six, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each class beside each other: 20,000 of them hold up all others for minutes."""
    one = {"zh": "样", "en": "x", "any": [{"fact": "poor"}]}
    monkeypatch.setattr(trials, "_fits", None)
    classes = [{"code": f"a{number}", **one} for number in range(41)]
    answer = await tried(client, civil, parameter="difficulty.taxonomy", value=classes)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "value_invalid")


async def test_what_was_few_an_hour_ago_may_be_many(
    client, database: Database, settings, six, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.begin(SYSTEM) as tx:
        await counting.count_county(tx, COUNTY)
        await tx.connection.execute("UPDATE children_counts SET children = 1")
    province = await a_caller(database, settings, "civil_affairs", 120000000000)
    said = (await tried(client, province, region_code="120000000000")).json()
    assert (said["exact"], said["files"], said["looked_at"]) == (True, 6, 6)
    monkeypatch.setattr(trials, "LIMIT", 5)
    said = (await tried(client, province, region_code="120000000000")).json()
    assert (said["exact"], said["files"]) == (False, 6)


async def test_no_place_has_no_trial(client, civil) -> None:
    answer = await tried(client, civil, region_code="999999999999")
    said = (answer.status_code, answer.json()["type"])
    assert said == (400, "/problems/region-code-invalid")


async def test_one_is_tried_at_a_time(client, civil) -> None:
    """Each takes seconds of this process, which all others are answered by, too."""
    async with trials._ONE:
        answer = await client.post(
            "/v1/children/policy-trials", json=YOUNGER, headers=civil.headers
        )
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/too-many-at-once")
    assert answer.headers["retry-after"] == "5"


async def test_who_reads_no_categories_is_told_of_none(client, database, settings) -> None:
    schools = await a_caller(database, settings, "education_authority", COUNTY)
    teacher = await a_caller(database, settings, "school", COUNTY)  # reads them, but no places
    for who in (schools, teacher):
        answer = await tried(client, who)
        said = (answer.status_code, answer.json()["type"])
        assert said == (403, "/problems/trial-forbidden")


@pytest.mark.parametrize("by_file", [0, 100_000], ids=["by the page", "by the file"])
async def test_of_many_a_sample_is_looked_at(
    client, database: Database, civil, six, monkeypatch: pytest.MonkeyPatch, by_file: int
) -> None:
    monkeypatch.setattr(trials, "_BY_FILE", by_file)
    async with database.begin(SYSTEM) as tx:
        columns = ", ".join(
            row["name"] if row["name"] != "id" else "gen_random_uuid()"
            for row in await tx.connection.fetch(
                "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'children'::regclass"
                " AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            )
        )
        # What is sealed of one is not read of another: copies have what is plain.
        await tx.connection.execute(
            "UPDATE children SET name = '样一', " + ", ".join(f"{each} = NULL" for each in SEALED)
        )
        await tx.connection.execute(
            f"INSERT INTO children SELECT {columns} FROM children, generate_series(1, 399)"
        )
    monkeypatch.setattr(trials, "LIMIT", 800)
    said = (await tried(client, civil)).json()
    assert (said["exact"], said["files"]) == (False, 2400)
    assert 400 < said["looked_at"] < 1200
    monkeypatch.setattr(trials, "LIMIT", 2400)
    exact = {(e["kind"], e["code"]): e for e in (await tried(client, civil)).json()["effects"]}
    assert said["effects"]
    for each in said["effects"]:
        so = exact[each["kind"], each["code"]]
        for what in ("before", "after", "gained", "lost"):
            assert each[what]["low"] <= so[what]["count"] <= each[what]["high"]
            assert so[what]["low"] == so[what]["count"] == so[what]["high"]


SEALED = [
    f"{each}_sealed"
    for each in (
        *("identity", "hukou", "residence", "family", "adoption", "guardianship", "education"),
        *("health", "welfare", "external"),
    )
]


def test_nineteen_of_twenty_samples_hold_what_is_so() -> None:
    rng = Random(20261128)
    pages = [[rng.random() < share for _ in range(7)] for share in (0.02, 0.1, 0.3) * 1000]
    so = sum(map(sum, pages)) / (7 * len(pages))
    held = 0
    for _ in range(400):
        drawn = rng.sample(range(len(pages)), 200)
        share, low, high = trials.interval(
            dict.fromkeys(drawn, 7), {page: sum(pages[page]) for page in drawn}
        )
        assert low <= share <= high
        held += low <= so <= high
    assert 0.92 < held / 400 < 0.98


def test_of_what_was_not_seen_there_may_be_some() -> None:
    share, low, high = trials.interval(dict.fromkeys(range(100), 7), {})
    assert (share, low) == (0, 0)
    assert 0.003 < high < 0.007
    assert trials.interval({1: 7}, {1: 7})[2] == 1


async def test_it_is_done_for_a_purpose(client, civil) -> None:
    """Two values that differ by one condition tell of one child to who is in a village of three."""
    headers = {
        name: said for name, said in civil.headers.items() if name.lower() != "purpose-of-use"
    }
    for path in ("/v1/children/policy-trials", "/v1/children/policy-trials/exact"):
        answer = await client.post(path, json=YOUNGER, headers=headers)
        assert answer.status_code == 400
        assert "urpose" in str(answer.json()["errors"]), answer.text
