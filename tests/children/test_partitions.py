"""Long lists, read in parts side by side: each row once, and none that the reader may not see."""

from datetime import date, datetime
from uuid import UUID

import pytest

from app.children.queries import ChildRef
from app.core.data import sampling
from app.core.data.db import SYSTEM, Database
from app.core.http import paging
from app.core.http.cursors import Cursors
from app.core.ids import new_id
from tests.access.factories import Caller, a_caller, an_agency
from tests.children.factories import a_child, moved
from tests.conftest import VILLAGE
from tests.visits.factories import a_visit

COUNTY, PROVINCE = 120119000000, 120000000000
ELSEWHERE = 130225101200
LISTS = ("children", "visits", "duties")


async def copied(database, table: str, number: int, **columns: str) -> None:
    """Copy the one row of a table, with other values for some of its columns: SQL, `n` counts."""
    columns = {"id": f"md5('{table}' || n)::uuid", **columns}
    said = ", ".join(f"'{name}', {value}" for name, value in columns.items())
    async with database.begin(SYSTEM) as tx:
        names = await tx.connection.fetchval(_WRITTEN, table)
        await tx.connection.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM (SELECT"
            f" (jsonb_populate_record(o, jsonb_build_object({said}))).*"
            f" FROM {table} o, generate_series(1, {number}) n) AS copies"
        )


_WRITTEN = """
SELECT string_agg(attname, ', ') FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


async def divided(client, caller: Caller, path: str, number: int = 8, query: str = "") -> list[str]:
    answer = await client.get(
        f"/v1/{path}/partitions?number={number}{query}", headers=caller.headers
    )
    assert answer.status_code == 200, answer.text
    cursors: list[str] = answer.json()["cursors"]
    assert answer.json() == {"cursors": cursors}
    return cursors


async def followed(client, caller: Caller, path: str, cursor: str | None, query: str = "") -> list:
    """Read a list to its end, from a cursor on."""
    seen = []
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        answer = await client.get(f"/v1/{path}?limit=200{query}{more}", headers=caller.headers)
        assert answer.status_code == 200, answer.text
        seen += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return seen


async def parts_of(client, caller: Caller, path: str, number: int = 8, query: str = "") -> list:
    return [
        await followed(client, caller, path, cursor, query)
        for cursor in await divided(client, caller, path, number, query)
    ]


def cursors_of(database: Database, caller: Caller, path: str) -> Cursors:
    """What seals a caller's cursors of a list, as only who has our keys can."""
    name = f"list_{path.replace('-', '_')}"
    return Cursors(database.keyring, lambda: f"{name} {caller.claims['subject']}")


def keys_in(database: Database, caller: Caller, path: str, cursor: str) -> tuple:
    types = {"children": (int, UUID), "visits": (date, UUID), "duties": (datetime, UUID)}
    return cursors_of(database, caller, path).span(cursor, *types[path])


def told_by(database: Database, caller: Caller, cursors: list[str]) -> set[str]:
    """Return the ids of children that cursors lead to."""
    spans = [keys_in(database, caller, "children", cursor) for cursor in cursors]
    return {str(keys[-1]) for span in spans for keys in span if keys}


@pytest.fixture
async def register(database, child: ChildRef) -> None:
    """Two thousand children, nine of ten in one village; others of the province, and elsewhere."""
    place = (
        f"CASE WHEN n % 10 > 0 THEN {VILLAGE} WHEN n % 20 = 0 THEN {VILLAGE + 1}"
        f" WHEN n % 30 = 0 THEN {VILLAGE + 1000} ELSE {PROVINCE + 118101001} END"
    )
    orphan = "CASE WHEN n % 3 = 0 THEN '[\"orphan\"]' ELSE '[]' END::jsonb"
    who = {"name": "'样一'", "identity_sealed": "null"}  # what is sealed of one is not another's
    await copied(database, "children", 2000, region_code=place, categories=orphan, **who)
    await a_child(database, ELSEWHERE)


@pytest.fixture
async def many(client, database, settings, director, child) -> Caller:
    """Two thousand visits and duties of a child, nine of ten of one day. Returns the county."""
    sent = a_visit(child.id, visited_on="2026-10-05")
    answer = await client.post("/v1/visits", json=sent, headers=director.headers)
    assert answer.status_code == 201, answer.text
    day = "CASE WHEN n % 10 > 0 THEN '2026-10-05'::date ELSE '2026-10-01'::date + n % 40 END"
    await copied(database, "visits", 2000, visited_on=day)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_DUTY, new_id(), child.id, COUNTY, VILLAGE, director.agency_id)
    await copied(
        database,
        "duties",
        2000,
        subject_id="md5('of' || n)::uuid",
        due_at="CASE WHEN n % 10 > 0 THEN timestamptz '2026-12-31T16:00Z'"
        " ELSE timestamptz '2026-10-01T00:00Z' + make_interval(hours => n) END",
    )
    return await a_caller(database, settings, "civil_affairs", COUNTY)


_DUTY = """
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, period, state, due_at,
    bearer_agency_id, bearer_role, opened_at, counts_from, version)
VALUES ($1, 'VIS-01', $2, $2, $3, $4, '2026Q4', 'open', '2026-12-31T16:00Z', $5,
    'village_director', '2026-10-01T00:00Z', '2026-10-01', 1)
"""


@pytest.mark.parametrize(
    ("role", "region", "count"),
    [
        ("village_director", VILLAGE, 1801),
        ("township_supervisor", VILLAGE // 1000 * 1000, 1901),
        ("civil_affairs", COUNTY, 1934),
        ("civil_affairs", PROVINCE, 2001),
    ],
)
async def test_parts_hold_each_row_once_and_none_much_more_than_another(
    client, database, settings, register, role, region, count
) -> None:
    caller = await a_caller(database, settings, role, region)
    parts = await parts_of(client, caller, "children", 4)
    whole = await followed(client, caller, "children", None)
    assert [row for part in parts for row in part] == whole
    assert len(whole) == len({*whole}) == count
    assert len(parts) == 4
    assert max(map(len, parts)) <= 2 * count / 4


async def test_a_filter_of_the_list_is_one_of_its_parts(
    client, database, settings, register
) -> None:
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    for query, most in (("&category=orphan", 4), (f"&region_code={COUNTY}", 4)):
        cursors = await divided(client, county, "children", 4, query)
        parts = [await followed(client, county, "children", each, query) for each in cursors]
        whole = await followed(client, county, "children", None, query)
        assert told_by(database, county, cursors) <= {*whole}
        assert [row for part in parts for row in part] == whole
        assert 1 < len(parts) <= most
        assert max(map(len, parts)) <= 2 * len(whole) / len(parts)


async def test_a_school_reads_its_pupils_in_parts(client, database, settings, register) -> None:
    school = await an_agency(database, "school", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET school_id = $1 WHERE region_code % 1000 = 200", school
        )
    teacher = await a_caller(database, settings, "school", VILLAGE, agency_id=school)
    parts = await parts_of(client, teacher, "children", 4)
    whole = await followed(client, teacher, "children", None)
    assert [row for part in parts for row in part] == whole
    assert (len(parts), len(whole) > 1500) == (4, True)


@pytest.mark.parametrize("path", ["visits", "duties"])
@pytest.mark.parametrize("query", ["", "&region_code=120119101200"])
async def test_other_lists_in_their_own_order(client, many, path, query) -> None:
    parts = await parts_of(client, many, path, 6, query)
    whole = await followed(client, many, path, None, query)
    assert [row for part in parts for row in part] == whole
    assert (len(whole), len({*whole}), len(parts)) == (2001, 2001, 6)
    assert max(map(len, parts)) <= 2 * 2001 / 6


async def test_duties_in_a_state_as_the_caller_sees_it(client, many) -> None:
    owed = [await parts_of(client, many, "duties", 4, f"&state={at}") for at in ("open", "overdue")]
    assert [len(parts) for parts in owed] == [4, 4]
    assert [sum(map(len, parts)) for parts in owed] == [1881, 120]
    assert await parts_of(client, many, "duties", 4, "&state=waived") == [[]]


@pytest.mark.parametrize("path", LISTS)
async def test_of_nothing_there_is_one_part_that_stays_open(
    client, database, director, path
) -> None:
    [cursor] = await divided(client, director, path)
    assert keys_in(database, director, path, cursor) == (None, None)
    assert await followed(client, director, path, cursor) == []
    [cursor] = await divided(client, director, "children")
    child = await a_child(database, VILLAGE)
    found = await followed(client, director, "children", cursor)
    assert found == [str(child.id)], "whoever comes meanwhile"


async def test_fewer_rows_than_parts(client, database, director) -> None:
    children = {str((await a_child(database, VILLAGE)).id) for _ in range(3)}
    parts = await parts_of(client, director, "children", 32)
    assert [len(part) for part in parts] == [1, 1, 1]
    assert {row for part in parts for row in part} == children
    assert await parts_of(client, director, "children", 1) == [sorted(children)]
    two = await parts_of(client, director, "children", 2)
    assert sorted(len(part) for part in two) == [1, 2]


async def test_what_is_written_meanwhile_is_in_one_part(
    client, database, settings, register
) -> None:
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    cursors = await divided(client, county, "children", 4)
    first = await a_child(database, COUNTY + 101001)
    last = await a_child(database, COUNTY + 999999)
    between = await a_child(database, VILLAGE)
    goes = (await followed(client, county, "children", cursors[0]))[1]
    await moved(database, goes, region_code=VILLAGE + 5)
    parts = [await followed(client, county, "children", cursor) for cursor in cursors]
    found = [row for part in parts for row in part]
    assert found == await followed(client, county, "children", None)
    assert len(found) == len({*found})
    assert {str(each.id) for each in (first, between, last)} | {goes} <= {*found}


async def test_a_part_tells_of_no_row_that_its_reader_does_not_see(
    client, database, settings, register, neighbour
) -> None:
    school = await an_agency(database, "school", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET school_id = $1 WHERE get_byte(uuid_send(id), 0) % 2 = 0", school
        )
    teacher = await a_caller(database, settings, "school", VILLAGE, agency_id=school)
    for caller in (teacher, neighbour):
        seen = await followed(client, caller, "children", None)
        cursors = await divided(client, caller, "children", 8)
        assert set() < told_by(database, caller, cursors) <= {*seen}


async def test_dividing_is_recorded_and_about_nobody(client, database, register, director) -> None:
    await divided(client, director, "children")
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT child_ids, subject_id FROM audit_entries WHERE operation = 'partitionChildren'"
        )
    assert [tuple(row) for row in rows] == [([], None)]


async def test_dividing_asks_little(client, queries, register, many, monkeypatch) -> None:
    for path in LISTS:
        queries.clear()
        await divided(client, many, path, 4)
        assert len(queries) <= 6, queries.statements
    monkeypatch.setattr(sampling, "MOST", 100)
    queries.clear()
    await parts_of(client, many, "children", 1)
    wide = await divided(client, many, "children", 32)
    assert len(wide) == 1, "what a sample small enough to be looked at can tell apart"


async def test_only_a_role_that_reads_the_list_divides_it(
    client, database, settings, register
) -> None:
    teacher = await a_caller(database, settings, "school", VILLAGE)
    system = await a_caller(database, settings, "education_authority", COUNTY)
    url = "/v1/children/partitions?category=orphan"
    answer = await client.get(url, headers=system.headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/filter-forbidden")
    assert (await client.get("/v1/visits/partitions", headers=teacher.headers)).status_code == 403


@pytest.mark.parametrize("number", [0, 33, "x"])
async def test_refuses_another_number(client, director, number) -> None:
    answer = await client.get(f"/v1/children/partitions?number={number}", headers=director.headers)
    assert answer.status_code == 400, answer.text


A, B = [VILLAGE, str(UUID(int=1))], [VILLAGE, str(UUID(int=2))]
DAY_A, DAY_B = [date(2026, 1, 1), UUID(int=1)], [date(2026, 1, 1), UUID(int=2)]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("children", [B, A]),
        ("children", [A, A]),
        ("children", [A, B, A]),
        ("children", [A]),
        ("children", [A, A[0]]),
        ("children", [A, [None, None]]),
        ("children", [None]),
        ("children", [None, 1]),
        ("visits", [DAY_A, DAY_B]),
        ("agencies", [None, None]),
    ],
)
async def test_a_cursor_of_ones_own_making_is_refused(
    client, database, settings, path, keys
) -> None:
    await a_child(database, VILLAGE, id=UUID("00000000-0000-7000-8000-000000000001"))
    township = await a_caller(database, settings, "township_supervisor", VILLAGE // 1000 * 1000)
    cursor = cursors_of(database, township, path).seal(keys)
    answer = await client.get(f"/v1/{path}?cursor={cursor}", headers=township.headers)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "cursor-invalid")


async def test_a_list_that_is_divided_says_where_its_rows_lie(tx) -> None:
    with pytest.raises(TypeError, match="where its rows lie"):
        await paging.fetch(
            tx,
            "SELECT",
            paging.Where("true"),
            paging.Order({"a.id": UUID}),
            paging.Window(Cursors(tx.keyring, lambda: "a list"), parts=2),
        )
