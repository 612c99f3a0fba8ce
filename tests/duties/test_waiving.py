"""What somebody owes is waived by two persons who do not owe it, for a reason; no report is."""

from typing import Any
from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from app.duties import explaining, rulebook
from app.duties.rulebook import rules
from tests.access.factories import a_caller
from tests.duties.conftest import COUNTY, TOWNSHIP, VILLAGE
from tests.duties.factories import announce, work

_ALSO_DIRECTOR = """
WITH post AS (
    INSERT INTO posts (id, agency_id, role, local_title, region_code, remit_lo, remit_hi, active,
                       created_at)
    SELECT gen_random_uuid(), s.agency_id, 'village_director', '', $2::bigint, $2, $2 + 1, true,
        now()
    FROM staff s WHERE s.id = $1 RETURNING id
)
INSERT INTO post_holdings (id, post_id, staff_id, since, created_at)
SELECT gen_random_uuid(), post.id, $1, '2026-01-01', now() FROM post
"""
_OF_DIRECTORS = " WHERE post_id IN (SELECT id FROM posts WHERE role = 'village_director')"
STANDS_IN = """
UPDATE duties SET bearer_role = 'civil_affairs', stands_in_for = 'village_director'
"""
GIVEN_BACK = "UPDATE duties SET bearer_role = 'village_director', stands_in_for = NULL"
WHY = "合成记录:全家年前已随父母外出,本季度不在村。"


@pytest.fixture
async def office(database, settings) -> Any:
    return await a_caller(database, settings, "civil_affairs", COUNTY)


@pytest.fixture
async def supervisor(database, settings) -> Any:
    return await a_caller(database, settings, "township_supervisor", TOWNSHIP)


@pytest.fixture
async def duty(client, database, supervisor, child) -> dict[str, Any]:
    await announce(database, "children.child_changed", child=child, subject_id=child.id)
    await work(database)
    [found] = await listed(client, supervisor)
    return found


async def listed(client, caller, **query: str) -> list[dict[str, Any]]:
    query = {"rule": "REG-03.confirm", **query}
    answer = await client.get("/v1/duties", params=query, headers=caller.headers)
    return answer.json()["items"]


async def act(client, caller, duty, path="waiver", **body: Any) -> Any:
    read = await client.get(f"/v1/duties/{duty['id']}", headers=caller.headers)
    headers = {**caller.headers, "if-match": read.headers["etag"]}
    return await client.post(f"/v1/duties/{duty['id']}/{path}", headers=headers, json=body or None)


async def refused_all(client, caller, duty, kind) -> None:
    """See each of the acts refused for one reason."""
    for path, body in (
        ("waiver", {"reason": WHY}),
        ("waiver/approval", {}),
        ("waiver/withdrawal", {}),
    ):
        refused = await act(client, caller, duty, path, **body)
        assert refused.json()["type"] == f"/problems/{kind}", path


async def test_one_proposes_and_another_approves(
    client, database, settings, supervisor, office, director, child, duty
) -> None:
    """Who may waive is part of a duty; it stays said who did and why, and is owed no more. Of what
    some must not know, they learn nothing by a waiver either (AZ-8).
    """
    assert duty["permitted"] == ["proposeWaiver"]
    known = [each.agency_id for each in (supervisor, office, director)]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE duties SET told_to = $1", known)
    early = await act(client, office, duty, "waiver/approval")
    assert (early.status_code, early.json()["type"]) == (409, "/problems/waiver-not-proposed")
    proposed = await act(client, supervisor, duty, reason=WHY)
    assert proposed.status_code == 201, proposed.text
    assert proposed.json()["state"] == "open", "one alone waives nothing"
    unread = {**office.headers, "if-match": f'"{duty["version"]}"'}
    for path in ("approval", "withdrawal"):
        url = f"/v1/duties/{duty['id']}/waiver/{path}"
        assert (await client.post(url, headers=unread)).status_code == 412, path
    for caller, kind, status in (
        (supervisor, "proposed-by-you", 403),
        (director, "scope-missing", 403),
    ):
        refused = await act(client, caller, duty, "waiver/approval")
        assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{kind}")
    again = await act(client, office, duty, reason=WHY)
    assert again.json()["type"] == "/problems/waiver-proposed"
    assert [each["id"] for each in await listed(client, office, permitted="approveWaiver")] == [
        duty["id"]
    ]
    for caller in (supervisor, office):  # taken back, or refused
        dropped = await act(client, caller, duty, "waiver/withdrawal")
        assert (dropped.status_code, dropped.json()["waiver"]) == (200, None)
        assert dropped.json()["permitted"] == ["proposeWaiver"]
        for path in ("approval", "withdrawal"):
            early = await act(client, office, duty, f"waiver/{path}")
            assert early.json()["type"] == "/problems/waiver-not-proposed"
        async with database.begin(SYSTEM) as tx:
            [kept] = await tx.connection.fetch(
                "SELECT waiver_reason_sealed FROM duties WHERE id = $1", UUID(duty["id"])
            )
        assert kept["waiver_reason_sealed"] is None
        assert (await act(client, supervisor, duty, reason=WHY)).status_code == 201
    approved = await act(client, office, duty, "waiver/approval")
    assert (approved.status_code, approved.json()["state"]) == (200, "waived")
    read = (await client.get(f"/v1/duties/{duty['id']}", headers=director.headers)).json()
    assert read["waiver"] == {
        "reason": WHY,
        "proposed_by": supervisor.claims["subject"],
        "proposed_at": "2026-11-20T02:00:00Z",
        "approved_by": office.claims["subject"],
        "approved_at": "2026-11-20T02:00:00Z",
    }
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET priority_flags = '{}'")
    await announce(database, "children.child_changed", child=child, subject_id=child.id)
    await work(database)
    [still] = await listed(client, supervisor)
    assert (still["state"], still["permitted"]) == ("waived", []), "not opened for the period again"
    summary = (await client.get("/v1/duties/summary", headers=office.headers)).json()
    [counted] = [each for each in summary["rules"] if each["rule"] == "REG-03.confirm"]
    assert (counted["waived"], counted["open"]) == (1, 0)
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetch(
            "SELECT wire_name, data::text, ARRAY(SELECT jsonb_array_elements_text(told_to)::uuid)"
            " AS told_to FROM events WHERE wire_name LIKE 'duties.%' ORDER BY id"
        )
        said = "\n".join(await explaining.explain(tx, rules()["REG-03.confirm"], child.id))
    proposed, dropped, waived = (
        f"duties.{name}" for name in ("waiver_proposed", "waiver_withdrawn", "duty_waived")
    )
    assert [row["wire_name"] for row in told] == [proposed, dropped] * 2 + [proposed, waived]
    assert not any("合成" in row["data"] or row["told_to"] != known for row in told)
    assert "waived by: one of township_supervisor or civil_affairs for a reason" in said
    assert f"waived by {office.claims['subject']}" in said


async def test_nobody_waives_what_they_owe_or_what_is_done(
    client, database, settings, supervisor, office, child, duty
) -> None:
    """Nor who stands in, nor who holds that post besides, nor a system."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_ALSO_DIRECTOR, supervisor.subject_id, VILLAGE)
    refused = await act(client, supervisor, duty, reason=WHY)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/own-duty")
    async with database.begin(SYSTEM) as tx:  # nor who held it since it is owed
        await tx.connection.execute("UPDATE duties SET opened_at = '2026-10-01'")
        await tx.connection.execute("UPDATE post_holdings SET until = '2026-11-01'" + _OF_DIRECTORS)
    refused = await act(client, supervisor, duty, reason=WHY)
    assert refused.json()["type"] == "/problems/own-duty"
    async with database.begin(SYSTEM) as tx:  # be the post empty since
        await tx.connection.execute(STANDS_IN)
    refused = await act(client, supervisor, duty, reason=WHY)
    assert refused.json()["type"] == "/problems/own-duty"
    async with database.begin(SYSTEM) as tx:  # before, they may; and not once it is theirs
        await tx.connection.execute(GIVEN_BACK)
        await tx.connection.execute("UPDATE post_holdings SET until = '2026-09-01'" + _OF_DIRECTORS)
    assert (await act(client, supervisor, duty, reason=WHY)).status_code == 201
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE post_holdings SET until = NULL" + _OF_DIRECTORS)
    refused = await act(client, office, duty, "waiver/approval")
    assert refused.json()["type"] == "/problems/own-duty"
    machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    await refused_all(client, machine, duty, "person-required")
    other = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE duties SET bearer_role = 'township_supervisor'")
    await refused_all(client, other, duty, "own-duty")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE duties SET state = 'overdue', overdue_at = now()")
    await refused_all(client, office, duty, "nothing-owed")  # what is late stays late


async def test_no_report_is_waived(client, database, office, child) -> None:
    """Nor what follows one, nor a visit without exception (必须100%), nor a pupil missed."""
    mandatory = ("REP-", "EDU-01", "EDU-04", "EDU-05", "EDU-06", "VIS-02")
    for rule in rules().values():
        assert not (rule.waived_by and any(each.startswith(mandatory) for each in rule.carries))
    await announce(
        database, "police_reports.report_owed", child=child, agency_id=str(office.agency_id)
    )
    await work(database)
    [owed] = await listed(client, office, rule="REP-01")
    assert owed["permitted"] == []
    refused = await act(client, office, owed, reason=WHY)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-waivable")
    assert rulebook.waivable_by("village_director") == []
