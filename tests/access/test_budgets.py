"""Who is shown a great many children for one purpose on one day is seen, and then refused."""

from datetime import timedelta

import pytest

from app.access import budgets
from app.access.budgets import Kind, Marks, ReadingBudgets
from app.core.data.db import SYSTEM
from tests.access.factories import a_caller, renewed
from tests.break_glass.factories import problem
from tests.children.factories import a_child
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, VILLAGE, a_report, the_offices
from tests.rights.factories import asked, copied

LEVELS = ("person", "village", "township", "county", "prefecture", "province", "nation")
OTHER = 120118000000


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
def few(monkeypatch):
    """An alarm at four children, an end at nine, each written down."""
    marks = {level: {"alarm": 4, "refuse": 9} for level in LEVELS}
    monkeypatch.setattr(budgets, "_children", lambda *_: marks)
    monkeypatch.setattr(Marks, "chunk", 1)
    budgets.marks_of.cache_clear()
    yield
    budgets.marks_of.cache_clear()


async def read(client, database, caller, purpose="care", children=3):
    """Show somebody children that they were not shown yet, unless that is refused."""
    headers = {**caller.headers, "purpose-of-use": purpose}
    for _ in range(children):
        child = await a_child(database, VILLAGE)
        answer = await client.get(f"/v1/children/{child.id}", headers=headers)
    return answer


async def tallies(database):
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch("SELECT * FROM reading_tallies ORDER BY purpose, id")


async def announced(database):
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT data FROM events WHERE wire_name = 'audit.alarm_raised' ORDER BY n"
        )
    return [row["data"]["mark"] for row in rows]


async def alarms(client, caller):
    answer = await client.get("/v1/reading-alarms", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_is_seen_by_the_agency_and_the_county_and_then_refused(
    client, database, settings, offices, few
) -> None:
    assert (await read(client, database, offices.village)).status_code == 200
    assert await announced(database) == []
    assert await alarms(client, offices.county) == []
    assert (await read(client, database, offices.village)).status_code == 200
    assert await announced(database) == ["alarm"]
    assert (await read(client, database, offices.village)).status_code == 200
    assert await announced(database) == ["alarm", "refuse"]
    spent = await read(client, database, offices.village)
    assert problem(spent) == (429, "budget-spent")
    assert "9 for this purpose until 2026-11-21T00:00:00+08:00" in spent.json()["detail"]
    assert "administrator of your agency, or civil affairs of your county" in spent.text
    assert int(spent.headers["retry-after"]) == 14 * 3600
    assert await announced(database) == ["alarm", "refuse"], "once each"
    supervision = await a_caller(database, settings, "auditor", COUNTY)
    for caller in (offices.county, supervision):
        [alarm] = await alarms(client, caller)
        assert alarm["subject"] == f"staff:{offices.village.subject_id}"
        assert (alarm["purpose"], alarm["counted"], alarm["kind"]) == ("care", 9, "children")
        assert alarm["refused_at"] is not None
        assert (alarm["day"], alarm["region_code"]) == ("2026-11-20", str(VILLAGE))
    stranger = await a_caller(database, settings, "civil_affairs", OTHER)
    assert await alarms(client, stranger) == []
    await run_jobs(database)
    feed = (await client.get("/v1/events", headers=offices.county.headers)).json()["items"]
    told = [each["data"] for each in feed if each["type"] == "audit.alarm_raised"]
    assert [each["by_agency_id"] for each in told] == [str(offices.village.agency_id)] * 2
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT data -> 'known_to' AS known_to FROM events"
            " WHERE wire_name = 'audit.alarm_raised'"
        )
    own = [str(offices.village.agency_id)]
    assert [row["known_to"] for row in rows] == [own, own], "the agency itself hears of it"


async def test_what_is_spent_is_one_purpose_of_one_caller_on_one_day(
    client, database, settings, offices, few, now
) -> None:
    for _ in range(3):
        await read(client, database, offices.village)
    assert (await read(client, database, offices.village)).status_code == 429
    assert (await read(client, database, offices.village, "protection")).status_code == 200
    colleague = await a_caller(
        database, settings, "village_director", VILLAGE, agency_id=offices.village.agency_id
    )
    assert (await read(client, database, colleague)).status_code == 200
    database.clock = lambda: now + timedelta(days=1)
    tomorrow = renewed(database, settings, offices.village)
    assert (await read(client, database, tomorrow)).status_code == 200


async def test_reading_is_refused_alone_and_no_report_ever(client, database, offices, few) -> None:
    for _ in range(3):
        await read(client, database, offices.village)
    village = offices.village.headers
    search = await client.post("/v1/children/search", json={"name": "测一"}, headers=village)
    assert problem(search) == (429, "budget-spent")
    filed = await client.post("/v1/police-reports", json=a_report(), headers=village)
    assert filed.status_code == 201, filed.text
    visits = await client.get("/v1/children/summary", headers=village)
    assert visits.status_code == 200, "who counts sees nobody"
    assert (await client.get("/v1/me", headers=village)).status_code == 200
    wrong = await client.post("/v1/visits", json={}, headers=village)
    assert wrong.status_code == 422, "what is written is not refused for it"


async def test_a_read_is_a_look_at_memory_and_a_statement_once_a_chunk(
    client, database, offices, queries, monkeypatch
) -> None:
    monkeypatch.setattr(Marks, "chunk", 10)
    children = [await a_child(database, VILLAGE) for _ in range(11)]
    costs = []
    for child in children:
        queries.clear()
        await client.get(f"/v1/children/{child.id}", headers=offices.village.headers)
        costs.append(len(queries))
    assert costs == [costs[0]] * 9 + [costs[0] + 1, costs[0]]
    [tally] = await tallies(database)
    assert tally["counted"] == 10


async def test_a_child_that_is_shown_again_counts_no_more(
    client, database, settings, offices, few, now
) -> None:
    """Who works with the same few children all day is not who collects them."""
    headers = offices.village.headers
    for _ in range(3):
        await a_child(database, VILLAGE)
    for _ in range(4):
        assert (await client.get("/v1/children", headers=headers)).status_code == 200
    [tally] = await tallies(database)
    assert (tally["counted"], tally["alarmed_at"]) == (3, None)
    database.clock = lambda: now + timedelta(days=1)
    tomorrow = renewed(database, settings, offices.village).headers
    await client.get("/v1/children", headers=tomorrow)
    assert [each["counted"] for each in await tallies(database)] == [3, 3]


async def test_machines_that_serve_together_know_it_from_each_other(
    app, settings, database, offices, few
) -> None:
    async with calling(app, settings, database) as one, calling(app, settings, database) as two:
        for client in (one, two, one):
            assert (await read(client, database, offices.village)).status_code == 200
        assert (await read(one, database, offices.village)).status_code == 429
        [tally] = await tallies(database)
        assert tally["counted"] == 9
        # The other has not heard yet: it does when it writes down what it shows next.
        assert (await read(two, database, offices.village, children=1)).status_code == 200
        assert (await read(two, database, offices.village)).status_code == 429
        assert await announced(database) == ["alarm", "refuse"]


async def test_whoever_meets_in_one_cell_is_not_taken_for_another(
    client, database, offices, few, monkeypatch
) -> None:
    monkeypatch.setattr(budgets, "_CELLS", 1)
    monkeypatch.setattr(budgets, "_WAYS", 1)
    for _ in range(3):
        await read(client, database, offices.village)
    assert (await read(client, database, offices.township)).status_code == 200
    one = await read(client, database, offices.village, children=1)
    assert one.status_code == 200, "let go with the cell"
    assert (await read(client, database, offices.village)).status_code == 429, "it was written down"


async def test_who_take_turns_in_one_room_are_counted_both(
    client, database, offices, few, monkeypatch
) -> None:
    """However few each is shown before the other comes: nothing of either is let go."""
    monkeypatch.setattr(budgets, "_CELLS", budgets._WAYS)
    monkeypatch.setattr(Marks, "chunk", 5)
    for _ in range(4):
        for caller in (offices.village, offices.township):
            await read(client, database, caller)
    for caller in (offices.village, offices.township):
        spent = await read(client, database, caller, children=1)
        assert problem(spent) == (429, "budget-spent")


async def test_a_write_that_shows_a_file_is_counted_and_not_refused(
    client, database, offices, few
) -> None:
    """Who changes nothing in one file after another reads them; so does who has copies made."""
    headers = {**offices.township.headers, "if-match": '"1"'}
    for _ in range(5):
        child = await a_child(database, VILLAGE)
        shown = await client.patch(f"/v1/children/{child.id}", json={"health": {}}, headers=headers)
        assert shown.status_code == 200, shown.text
        assert shown.json()["version"] == 1
    assert await announced(database) == ["alarm"]
    for _ in range(5):
        child = await a_child(database, VILLAGE)
        request = await asked(client, offices.township, child.id)
        await copied(client, offices.township, request)
    assert await announced(database) == ["alarm", "refuse"]
    assert problem(await read(client, database, offices.township)) == (429, "budget-spent")
    child = await a_child(database, VILLAGE)
    changed = await client.patch(f"/v1/children/{child.id}", json={"health": {}}, headers=headers)
    assert changed.status_code == 200, "what is written is not refused for it"


def test_a_system_has_marks_by_how_much_it_serves_and_a_person_the_least(now) -> None:
    codes = {
        "village": VILLAGE,
        "township": VILLAGE // 1000 * 1000,
        "county": COUNTY,
        "prefecture": 430100000000,
        "province": 120000000000,
        "nation": 0,
    }
    day = now.date()
    found = [budgets.marks_of(Kind.children, False, code, day) for code in codes.values()]
    assert [each.refuse for each in found] == sorted(each.refuse for each in found)
    person = budgets.marks_of(Kind.children, True, 120000000000, day)
    assert (person.alarm, person.refuse, person.chunk) == (1_000, 10_000, 100)
    assert person.refuse < found[0].refuse
    assert all(each.alarm < each.refuse for each in found)
    assert {each.chunk for each in found} >= {100, 3_125}


def test_cells_are_shared_memory() -> None:
    made = ReadingBudgets()
    assert all(view.nbytes == budgets._CELLS * 8 for view in (made.whose, made.since, made.before))
    assert made.shown.nbytes == budgets._MARKS * 4
