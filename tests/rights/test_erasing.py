"""A file that is erased is unreadable in every copy; what is counted stays (data.md 5.4)."""

from uuid import UUID

import pytest

from app.children import queries, rederiving, sealing
from app.core.data import keys, resealing, sealed
from app.core.data.db import SYSTEM
from app.core.data.envelopes import Erased, Whose, of_child
from app.core.ids import new_id
from tests.access import approving
from tests.access.factories import a_caller
from tests.children.factories import RESIDENT_ID
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, a_report, rows
from tests.rights.factories import (
    a_filed_child,
    answered_by_two,
    asked,
    post,
    problem,
    shown,
)
from tests.visits.factories import a_visit

OF_CHILDREN = [each for each in sealed.TABLES if each.whose is Whose.child]


@pytest.fixture
async def child_id(client, offices):
    return await a_filed_child(client, offices.village)


@pytest.fixture
def granted(client, database, settings, offices, child_id):
    async def grant(child=None, **said):
        request = await asked(client, offices.village, child or child_id, kind="erasure")
        how = (client, database, settings, offices.township, request)
        answer = await answered_by_two(*how, **said)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return grant


@pytest.fixture
def approved(client, database, settings, offices):
    """Have a colleague agree to an erasure; return how it is done then, after what `meanwhile`."""

    async def agree(request):
        path = f"/v1/rights-requests/{request['id']}/erasure"
        how = (client, offices.township, await colleague(), "eraseChildData", path)
        approval = await approving.approved(*how)
        headers = {"if-match": f'"{request["version"]}"', "approval": approval}
        return lambda: client.post(path, headers={**offices.township.headers, **headers})

    async def colleague():
        agency = offices.township.agency_id
        who = (database, settings, "township_supervisor", TOWNSHIP)
        return await a_caller(*who, agency_id=agency)

    return agree


@pytest.fixture
def erased(approved):
    async def erase(request):
        return await (await approved(request))()

    return erase


async def copied(tx):
    """What a dump without `child_keys` holds of children: sealed values, each for its place."""
    found = []
    for table in OF_CHILDREN:
        columns = ", ".join(f"t.{each} AS {each}" for each in table.places)
        for row in await tx.connection.fetch(
            f"SELECT {table.row} AS row_name, {columns} FROM {table.table} t"
        ):
            found += [
                (place, row["row_name"], row[column])
                for column, place in table.places.items()
                if row[column] is not None
            ]
    return found


async def test_nobody_reads_it_again_from_an_old_copy_either(
    client, database, offices, child_id, granted, erased, approved
) -> None:
    visit = a_visit(child_id, note="合成记录 CANARY", visited_on="2026-09-01")
    assert (await post(client, offices.village, "/visits", visit)).status_code == 201
    await run_jobs(database)
    request = await granted()
    async with database.begin(SYSTEM) as tx:
        dump = await copied(tx)
        await keys.load(tx, [of_child(UUID(child_id))])
        for place, row, value in dump:
            assert tx.keyring.unseal_bytes(place, row, value)
    assert {place.partition(".")[0] for place, *_ in dump} >= {
        *("children", "child_facts", "child_changes", "visits", "rights_requests")
    }
    alone = await post(
        client,
        offices.township,
        f"/rights-requests/{request['id']}/erasure",
        None,
        f'"{request["version"]}"',
    )
    assert problem(alone) == (403, "approval-required")
    twice = await approved({**request, "version": request["version"] + 1})
    done = await erased(request)
    assert done.status_code == 200, done.text
    assert done.json()["erased_at"] == "2026-11-20T02:00:00Z"
    assert done.json()["asked"]["name"] == done.json()["answer"]["words"] == "已删除 (erased)"
    async with database.begin(SYSTEM) as tx:
        await keys.load(tx, [of_child(UUID(child_id))])
        for place, row, value in dump:
            with pytest.raises(Erased):
                tx.keyring.unseal_bytes(place, row, value)
        for owner in await tx.connection.fetch("SELECT child_id, wrapped FROM child_keys"):
            assert owner["wrapped"] == b""
        file = await tx.connection.fetchrow(
            f"SELECT c.id, c.as_sent_sealed, c.categories, {queries.STORED} FROM children c"
        )
        whole = sealing.whole(tx.keyring, file)
        assert (whole.identity.resident_id, whole.family.parents) == (None, [])
        assert (file["name"], whole.identity.name) == ("", None)
        was = file["categories"]
        await rederiving.rederive_file(tx, COUNTY, UUID(child_id))
        assert await tx.connection.fetchval("SELECT categories FROM children") == was
    for table in ("child_names", "resident_ids", "child_external_ids"):
        assert await rows(database, table) == []
    assert len(await rows(database, "visits")) == 1, "history stays countable"
    found = await post(client, offices.county, "/children/search", {"resident_id": RESIDENT_ID})
    assert found.json()["items"] == []
    await run_jobs(database)
    again = await twice()
    assert problem(again) == (409, "erased-already")
    lift = await post(
        client,
        offices.township,
        f"/rights-requests/{request['id']}/restriction-end",
        None,
        f'"{done.json()["version"]}"',
    )
    assert problem(lift) == (409, "erased-already")
    path = f"/rights-requests/{request['id']}"
    assert (await shown(client, offices.township, path))["erased_at"] is not None


async def test_what_is_under_way_needs_it(client, database, offices, granted, approved) -> None:
    """Which, it does not say (AZ-8)."""
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_REFERRED, new_id(), tx.now)
    assert problem(await erase()) == (409, "still-needed")
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT wrapped FROM child_keys"), "it has its key"


_REFERRED = """
INSERT INTO duplicate_referrals (id, home_county, region_code, reason, child_id, submitted_by,
    created_at)
SELECT $1, home_county, region_code, 'id', id, 'staff:test', $2 FROM children
"""


_ALERT = """
INSERT INTO dropout_alerts (id, home_county, child_id, region_code, school_id, opened_in, state,
    opened_on, first_absent_day, last_absent_day, unexcused_days, version, created_at, updated_at)
SELECT $1, c.home_county, c.id, c.region_code, (SELECT min(id::text)::uuid FROM agencies),
    c.region_code, 'absent', '2026-11-20', '2026-11-18', '2026-11-19', 3, 1, $2, $2
FROM children c
"""
_ASKED_OF = """
INSERT INTO referrals (id, home_county, child_id, region_code, from_id, to_kind, to_id, waits,
    source, opened_at, opened_by, due_at, state, version)
SELECT $1, c.home_county, c.id, c.region_code, a.id, a.kind, a.id, false, 'by_hand', $2,
    'staff:test', $2, '{state}', 1 FROM children c, (SELECT * FROM agencies ORDER BY id LIMIT 1) a
"""
_QUESTION = """
INSERT INTO unresolved (id, kind, reason, region_code, owner_role, state, due_at, received_at,
    updated_at, version, {child})
SELECT $1, 'two_entries', 'same_child', region_code, 'village_director', 'open', $2, $2, $2, 1, id
FROM children
"""
_UNDER_WAY = {
    "an alert": (_ALERT, "state = 'closed', ended_on = '2026-11-20'"),
    "a referral": (_ASKED_OF.format(state="open"), "state = 'cancelled'"),
    "one that was taken on": (_ASKED_OF.format(state="accepted"), "state = 'cancelled'"),
    "a question": (_QUESTION.format(child="child_id"), "state = 'dismissed', settled_at = now()"),
    "a question of two": (
        _QUESTION.format(child="other_child_id"),
        "state = 'dismissed', settled_at = now()",
    ),
    "one file or two": (_REFERRED.replace(" child_id,", " other_child_id,"), "settled_at = now()"),
}


@pytest.mark.parametrize("what", _UNDER_WAY)
async def test_each_thing_under_way_needs_it_till_it_ends(
    database, granted, approved, what
) -> None:
    insert, ends = _UNDER_WAY[what]
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(insert, new_id(), tx.now)
    assert problem(await erase()) == (409, "still-needed")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(f"UPDATE {insert.split()[2]} SET {ends}")
    done = await erase()
    assert done.status_code == 200, done.text


async def test_a_report_that_another_took_the_place_of_ended_with_it(
    client, database, offices, child_id, granted, approved
) -> None:
    for _ in range(2):
        report = a_report(child_id=child_id, region_code=str(VILLAGE))
        assert (await post(client, offices.village, "/police-reports", report)).status_code == 201
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE police_reports SET state = 'closed'")
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE police_reports SET state = 'services_arranged'")
    assert problem(await erase()) == (409, "still-needed")
    async with database.begin(SYSTEM) as tx:
        one, other = await tx.connection.fetch("SELECT id FROM police_reports ORDER BY id")
        put = "UPDATE police_reports SET superseded_by_id = $2 WHERE id = $1"
        await tx.connection.execute(put, one["id"], other["id"])
    assert problem(await erase()) == (409, "still-needed"), "the other goes on"
    async with database.begin(SYSTEM) as tx:
        closed = "UPDATE police_reports SET state = 'closed' WHERE id = $1"
        await tx.connection.execute(closed, other["id"])
    assert (await erase()).status_code == 200


async def test_what_was_written_in_the_clear_is_sealed_before_it_is_erased(
    client, database, offices, child_id, granted, approved
) -> None:
    """Findings, as the release before wrote them: no key takes them along."""
    visit = a_visit(child_id, visited_on="2026-09-01")
    assert (await post(client, offices.village, "/visits", visit)).status_code == 201
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("""UPDATE visits SET findings = '["hungry"]'""")
    assert problem(await erase()) == (409, "not-sealed-yet")


async def test_nothing_is_left_by_which_the_child_is_called_or_found(
    database, child_id, granted, erased
) -> None:
    assert (await rows(database, "children"))[0]["name_index"], "or the test shows nothing"
    request = await granted()
    async with database.begin(SYSTEM) as tx:  # as the release before wrote it
        named = "name = '样小一', name_pinyin = 'yangxiaoyi', name_initials = 'yxy'"
        more = "name_canonical = '样小一', name_reversed = '一小样'"
        three = ", ".join(f"name_pinyin_{n} = 'y', name_initials_{n} = 'y'" for n in (2, 3))
        aided = """welfare = '{"aids": ["临时救助"]}'"""
        await tx.connection.execute(f"UPDATE children SET {named}, {more}, {three}, {aided}")
    assert (await erased(request)).status_code == 200
    [row] = await rows(database, "children")
    assert "aids" not in row["welfare"]
    named = {name: said for name, said in dict(row).items() if name.startswith("name")}
    assert not any(named.values()), named


async def test_who_saw_another_version_erases_nothing(database, granted, approved) -> None:
    erase = await approved(await granted())
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE rights_requests SET version = version + 1")
    assert problem(await erase()) == (412, "precondition-failed")


async def test_a_case_that_is_open_needs_it(
    client, database, offices, child_id, granted, erased
) -> None:
    report = a_report(child_id=child_id, region_code=str(VILLAGE))
    assert (await post(client, offices.village, "/police-reports", report)).status_code == 201
    request = await granted()
    with pytest.raises(AssertionError, match="still-needed"):
        await erased(request)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE police_reports SET state = 'closed'")
    assert (await erased(request)).status_code == 200


@pytest.mark.parametrize(
    "otherwise", ["outcome = 'refused'", "kind = 'access'", "restricted_at = NULL"]
)
async def test_only_what_was_granted_and_is_stored_alone(
    database, granted, approved, otherwise
) -> None:
    erase = await approved(await granted())
    put = f"UPDATE rights_requests SET {otherwise}"
    if "restricted" in otherwise:
        put += ", restricted_from = NULL, restricted_school = NULL"
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(put)
    refused = "not-restricted" if "restricted" in otherwise else "not-granted"
    assert problem(await erase()) == (409, refused)


async def test_what_lies_under_another_key_goes_along(database, granted, erased) -> None:
    request = await granted()
    async with database.begin(SYSTEM) as tx:
        by_service = tx.keyring.seal("rights_requests.answer", request["id"], "合成答复")
        await tx.connection.execute("UPDATE rights_requests SET answer_sealed = $1", by_service)
    done = await erased(request)
    assert done.status_code == 200, done.text
    [row] = await rows(database, "rights_requests")
    assert row["answer_sealed"][:1] == b"\x04", "it was brought under the key that went"


_AS_BEFORE = """
INSERT INTO children (id, home_county, region_code, name, sex, birth_date, version, created_at,
    updated_at)
SELECT $1, home_county, region_code, '样小五', sex, birth_date, 1, $2, $2 FROM children
"""
_CHANGED = """
INSERT INTO child_changes (id, home_county, child_id, region_code, version, at, actor, role,
    operation, sections, changes_sealed)
SELECT $1, home_county, id, region_code, 9, $2, 'staff:test', 'test', 'test', '{}', $3 FROM children
"""


@pytest.mark.parametrize("spoilt", ["no key", "a value", "what the app may not change"])
async def test_without_its_key_nothing_is_erased(
    database, child_id, granted, approved, spoilt
) -> None:
    if spoilt == "no key":  # as a release before opened files
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_AS_BEFORE, new_id(), tx.now)
            child_id = await tx.connection.fetchval("SELECT max(id::text) FROM children")
    request = await granted(child_id)
    if spoilt == "no key":
        with pytest.raises(AssertionError, match="not-sealed-yet"):
            await approved(request)
        return
    erase = await approved(request)
    if spoilt == "a value":
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE rights_requests SET answer_sealed = $1", b"\x01no")
    else:
        async with database.begin(SYSTEM) as tx:
            change = new_id()
            sealed_by_service = tx.keyring.seal("child_changes.changes_sealed", change, "[]")
            await tx.connection.execute(_CHANGED, change, tx.now, sealed_by_service)
    assert problem(await erase()) == (409, "not-sealed-yet")


async def test_what_is_sealed_anew_leaves_alone_whose_key_went(database, granted, erased) -> None:
    """Of a row that came to be under the service's key nothing is brought under one that is gone,
    and nobody is told that no key opens it.
    """
    assert (await erased(await granted())).status_code == 200
    [changes] = [each for each in OF_CHILDREN if each.table == "child_changes"]
    async with database.begin(SYSTEM) as tx:
        change = new_id()
        by_service = tx.keyring.seal("child_changes.changes_sealed", change, "[]")
        await tx.connection.execute(_CHANGED, change, tx.now, by_service)
        batch = await resealing.seal_anew(tx, changes)
    assert (batch.looked > 0, batch.changed, batch.refused) == (True, 0, 0)
    async with database.begin(SYSTEM) as tx:
        made = await resealing.make_keys(tx, "child_keys")
        assert (made.looked, made.changed) == (1, 0), "nor is another made"
