"""No duty of a post is without an owner while nobody holds it."""

from datetime import date

from app.agencies import operations as agencies
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.duties import owners
from app.duties.rulebook import rules
from tests.access.factories import a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.duties.conftest import COUNTY, TOWNSHIP, VILLAGE
from tests.duties.factories import announce, ledger, work

HANDS = """
SELECT data ->> 'bearer_role' FROM events
WHERE wire_name = 'duties.duty_changed_hands' AND data ->> 'rule' = 'VIS-03' ORDER BY id
"""

LATE = "SELECT data -> 'known_to' AS known_to FROM events WHERE wire_name = 'duties.duty_overdue'"
TOLD = "SELECT told_to FROM events WHERE wire_name = 'duties.duty_changed_hands'"


async def _find_owners(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.find_owners", [{}])
    await work(database)


async def _owed_by(database, rule: str) -> tuple[object, ...]:
    (duty,) = await ledger(database, rule)
    return tuple(duty[name] for name in ("bearer_role", "bearer_agency_id", "stands_in_for"))


async def test_a_post_changes_hands_and_is_empty(client, database, settings, child, time) -> None:
    """An open duty stays with the post: who holds it next sees it, since when, and who held it
    then; while nobody does, those above owe it, and are told.
    """
    post = await a_post(database, "village_committee", VILLAGE, "village_director")
    first, second = [await a_person(database, post.agency_id) for _ in range(2)]
    held = await a_holding(database, post, first, date(2026, 9, 1))
    await announce(database, "visits.abnormal_finding", child=child, visited_on="2026-11-18")
    await work(database)
    await _find_owners(database)
    director = ("village_director", None, None)
    assert await _owed_by(database, "VIS-03") == director
    async with database.begin(SYSTEM) as tx:
        held = await tx.session.merge(held)
        await agencies.leave_post(tx, held, date(2026, 11, 21))
    time.set(2026, 11, 20, 16)
    await _find_owners(database)
    assert await _owed_by(database, "VIS-03") == director, "there is nobody above"
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP, machine=False)
    for _ in range(2):
        await _find_owners(database)
    assert await _owed_by(database, "VIS-03") == ("township_supervisor", None, "village_director")
    await a_holding(database, post, second, date(2026, 11, 21))
    await _find_owners(database)
    assert await _owed_by(database, "VIS-03") == director
    async with database.begin(SYSTEM) as tx:
        told = [row[0] for row in await tx.connection.fetch(HANDS)]
    assert told == ["township_supervisor", "village_director"]
    (duty,) = await ledger(database, "VIS-03")
    shown = await client.get(f"/v1/duties/{duty['id']}", headers=township.headers)
    assert shown.json()["opened_at"] == "2026-11-20T02:00:00Z"
    (then,) = shown.json()["held_then"]
    assert (then["staff_id"], then["until"]) == (str(first), "2026-11-21")


async def test_a_full_batch_is_not_all(database, settings, child, time, monkeypatch) -> None:
    """What does not fit into one is found in the next, not a quarter of an hour later."""
    monkeypatch.setattr(owners, "BATCH", 1)
    monkeypatch.setattr(owners, "_OF_POSTS", owners._OF_POSTS.replace("LIMIT 500", "LIMIT 1"))
    await a_caller(database, settings, "township_supervisor", TOWNSHIP, machine=False)
    for day in ("2026-11-17", "2026-11-18", "2026-11-19"):
        await announce(database, "visits.abnormal_finding", child=child, visited_on=day)
    await work(database)
    await _find_owners(database)
    owed = {duty["bearer_role"] for duty in await ledger(database, "VIS-03")}
    assert owed == {"township_supervisor"}


async def _change(database, statement: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(statement)
    await _find_owners(database)


_ACCOUNT = """INSERT INTO staff_accounts (staff_id, username, password_hash, failed_attempts,
    factor_failures, active, created_at)
    SELECT id, id::text, '', 0, 0, true, now() FROM staff WHERE id = '{}' ON CONFLICT DO NOTHING"""


async def test_who_is_not_there_holds_no_post(database, settings, child) -> None:
    """Nor hears more of it whoever holds it meanwhile than those the duty is known to."""
    await a_caller(database, settings, "township_supervisor", TOWNSHIP, machine=True)
    known = {"told_to": (await an_agency(database, "village_committee", VILLAGE),)}
    found = {"child": child, "visited_on": "2026-11-18", **known}
    await announce(database, "visits.abnormal_finding", **found)
    await work(database)
    stands_in = ("township_supervisor", None, "village_director")
    for by_machine, gone, back in (
        (False, "post_holdings SET since = '2026-11-21'", "post_holdings SET since = '2026-11-20'"),
        (False, *(f"posts SET active = {is_so}" for is_so in ("false", "true"))),
        (False, *(f"staff SET active = {is_so}" for is_so in ("false", "true"))),
        (False, *(f"staff_accounts SET active = {is_so}" for is_so in ("false", "true"))),
        (False, "agencies SET active = kind <> 'village_committee'", "agencies SET active = true"),
        (
            True,
            "clients SET active = role IS DISTINCT FROM 'village_director'",
            "clients SET active = true",
        ),
    ):
        await _change(database, "UPDATE posts SET active = false")
        holder = await a_caller(database, settings, "village_director", VILLAGE, machine=by_machine)
        await _change(database, _ACCOUNT.format(holder.subject_id))
        for statement, owner in (
            (back, ("village_director", None, None)),
            (gone, stands_in),
        ):
            await _change(database, f"UPDATE {statement}")
            assert await _owed_by(database, "VIS-03") == owner, statement
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetch(TOLD)
    assert {tuple(row["told_to"]) for row in told} == {tuple(map(str, known["told_to"]))}


def test_whoever_else_a_rule_names_comes_before_those_it_is_told_to() -> None:
    for rule in rules().values():
        own = [rule.bearer.role, *rule.bearer.or_roles]
        assert [*rule.owners[: len(own)]] == own, rule.code


async def test_an_office_registered_later_oversees_what_is_open(database, child, time) -> None:
    """And hears that it is late."""
    school = await an_agency(database, "school", VILLAGE)
    owed = {"child": child, "school_id": str(school)}
    await announce(database, "dropout_alerts.persuasion_failed", **owed)
    await work(database)
    offices = []
    for place in (120000000000, COUNTY):
        offices.append(await an_agency(database, "education", place))
        await _find_owners(database)
        (duty,) = await ledger(database, "EDU-04")
        assert duty["overseer_id"] == offices[-1]
    await _change(database, f"UPDATE agencies SET active = false WHERE id = '{offices[-1]}'")
    (duty,) = await ledger(database, "EDU-04")
    assert duty["overseer_id"] == offices[0], "the nearest is closed"
    time.set(2026, 12, 20)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.mark_overdue", [{}])
    await work(database)
    async with database.begin(SYSTEM) as tx:
        [late] = await tx.connection.fetch(LATE)
    assert late["known_to"] == [str(offices[0])]


async def test_who_oversees_a_school_lists_what_it_owes_for_whoever_lives_elsewhere(
    client, database, settings, child
) -> None:
    """However the list is narrowed; an office of the same place that oversees another school sees
    nothing of it.
    """
    elsewhere = 140100000000
    office = await a_caller(database, settings, "education_authority", elsewhere)
    other = await a_caller(database, settings, "education_authority", elsewhere)
    school = await an_agency(database, "school", elsewhere)
    owed = {"child": child, "school_id": str(school)}
    await announce(database, "dropout_alerts.persuasion_failed", **owed)
    await work(database)
    await _change(
        database, f"UPDATE duties SET overseer_id = '{office.agency_id}' WHERE rule = 'EDU-04'"
    )
    [duty] = await ledger(database, "EDU-04")
    for narrowed in ({}, {"rule": "EDU-04"}, {"state": "open"}, {"child_id": str(child.id)}):
        for who, sees in ((office, [str(duty["id"])]), (other, [])):
            answer = await client.get("/v1/duties", params=narrowed, headers=who.headers)
            assert [each["id"] for each in answer.json()["items"]] == sees, narrowed
