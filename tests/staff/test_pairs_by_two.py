"""What nobody of a role does alone, two of it do: every such pair of docs/roles.md."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import REASON, decide, problem, propose, send_by_two
from tests.access.apps import a_key, a_machine, a_person, an_authenticator
from tests.access.factories import Caller, a_caller, an_agency
from tests.matrix.reach import BY_TWO
from tests.regions.factories import some_regions

VILLAGE, TOWNSHIP, COUNTY, NATION = 120119101200, 120119101000, 120119000000, 0
OF = {
    "administrator": ("school", VILLAGE),
    "civil_affairs": ("civil_affairs", COUNTY),
    "operator": ("operator", NATION),
}


class Two(NamedTuple):
    """Two people in one role, and their agency."""

    one: Caller
    other: Caller
    agency: UUID


async def _two(database, settings, role) -> Two:
    kind, region = OF[role]
    await some_regions(database, VILLAGE, TOWNSHIP, COUNTY)
    agency = await an_agency(database, kind, region)
    pair = [
        await a_caller(database, settings, role, region, agency_id=agency, machine=False)
        for _ in range(2)
    ]
    return Two(*pair, agency)


Asked = tuple[str, str, dict[str, Any] | None]
"""Method, path and body."""


async def _staff(database, two: Two, *, factor: bool = False, **account: Any) -> str:
    """Return where a colleague of theirs stands."""
    person = await a_person(database, f"a{new_id().hex[:12]}")
    if factor:
        await an_authenticator(database, person.staff_id)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE staff SET agency_id = $1, region_code = a.region_code FROM agencies a"
            " WHERE a.id = $1 AND staff.id = $2",
            two.agency,
            person.staff_id,
        )
        for name, value in account.items():
            await tx.connection.execute(
                f"UPDATE staff_accounts SET {name} = $1 WHERE staff_id = $2", value, person.staff_id
            )
    return f"/v1/staff/{person.staff_id}"


async def _create_staff(database, two: Two) -> Asked:
    return "POST", "/v1/staff", {"name": "李娜", "username": "li.na"}


async def _invite(database, two: Two) -> Asked:
    return "POST", f"{await _staff(database, two)}/invitation", None


async def _reset_password(database, two: Two) -> Asked:
    return "POST", f"{await _staff(database, two)}/password-reset", None


async def _reset_factor(database, two: Two) -> Asked:
    return "POST", f"{await _staff(database, two, factor=True)}/second-factor-reset", None


async def _resume(database, two: Two) -> Asked:
    return "DELETE", f"{await _staff(database, two, active=False)}/suspension", None


async def _phone(database, two: Two) -> Asked:
    return "POST", f"{await _staff(database, two)}/device-code", None


async def _client(database, two: Two) -> str:
    kind = "operator" if two.one.claims["role"] == "operator" else "civil_affairs"
    agency = await an_agency(database, "school", VILLAGE) if kind == "operator" else two.agency
    role = "school_system" if kind == "operator" else "civil_affairs"
    region = VILLAGE if kind == "operator" else COUNTY
    made = await a_machine(database, role, region, agency_id=agency)
    return f"/v1/clients/{made.client_id}"


async def _keys(database, two: Two) -> Asked:
    return "PUT", f"{await _client(database, two)}/jwks", {"keys": [a_key(kid="two")[1]]}


async def _resume_client(database, two: Two) -> Asked:
    return "DELETE", f"{await _client(database, two)}/suspension", None


async def _bearers(database, two: Two) -> Asked:
    said = {"reason": "合成记录:旧系统年底停用,期间仍用旧令牌。", "until": "2026-12-01T00:00:00Z"}
    return "PUT", f"{await _client(database, two)}/bearer-exception", said


async def _app(database, two: Two) -> Asked:
    said = {"name": "走访手机", "redirect_uris": ["https://app.example/back"]}
    return "POST", "/v1/clients/apps", said


async def _hold(database, two: Two) -> Asked:
    colleague = (await _staff(database, two)).rpartition("/")[2]
    async with database.begin(SYSTEM) as tx:
        post = await tx.connection.fetchval(
            "SELECT post_id FROM post_holdings WHERE id = $1", two.other.claims["grant_id"]
        )
    said = {"staff_id": colleague, "since": "2026-11-28"}
    return "POST", f"/v1/posts/{post}/holdings", said


async def _contact(database, two: Two) -> Asked:
    said = {"public_contact": "022-00000000"}
    return "PUT", f"/v1/agencies/{two.agency}/public-contact", said


DONE: dict[str, Callable[..., Awaitable[Asked]]] = {
    "createStaff": _create_staff,
    "inviteStaff": _invite,
    "resetPassword": _reset_password,
    "inviteDevice": _phone,
    "replaceClientKeys": _keys,
    "resumeClient": _resume_client,
    "allowBearerTokens": _bearers,
    "registerApp": _app,
    "holdPost": _hold,
    "setPublicContact": _contact,
}
PAIRS = [
    *((role, operation) for operation in DONE for role in sorted(BY_TWO[operation])),
    # Which the stage of the matrix does not show, for nobody there was reset or suspended before.
    *((role, "resetSecondFactor") for role in ("administrator", "civil_affairs", "operator")),
    *((role, "resumeStaff") for role in ("administrator", "civil_affairs", "operator")),
]
DONE |= {"resetSecondFactor": _reset_factor, "resumeStaff": _resume}


@pytest.mark.parametrize(("role", "operation"), PAIRS)
async def test_two_of_a_role_do_what_none_does_alone(
    client, database, settings, role, operation
) -> None:
    two = await _two(database, settings, role)
    method, path, body = await DONE[operation](database, two)
    sent = {} if body is None else {"json": body}
    alone = await client.request(method, path, headers=two.one.headers, **sent)
    assert problem(alone) == (403, "approval-required"), alone.text
    done = await send_by_two(client, two.one, two.other, operation, method, path, body)
    assert done.is_success, done.text


@pytest.mark.parametrize("role", ["administrator", "civil_affairs", "operator"])
async def test_who_shares_power_proposes_takes_back_and_decides(
    client, database, settings, role
) -> None:
    two = await _two(database, settings, role)
    _, path, _ = await _reset_password(database, two)
    for verdict in ("refused", "approved"):
        made = (await propose(client, two.one, "resetPassword", path)).json()
        decided = await decide(client, two.other, made["id"], verdict)
        assert decided.json()["state"] == verdict
    taken = await client.post(f"/v1/approvals/{made['id']}/withdrawal", headers=two.one.headers)
    assert taken.json()["state"] == "withdrawn", taken.text


@pytest.mark.parametrize("role", ["administrator", "civil_affairs", "operator"])
async def test_who_shares_power_reviews(client, database, settings, role) -> None:
    two = await _two(database, settings, role)
    at = await _staff(database, two)
    assert (await client.post(f"{at}/suspension", headers=two.one.headers)).status_code == 200
    [owed] = (await client.get("/v1/reviews", headers=two.other.headers)).json()["items"]
    said = {"finding": "proper", "note": REASON}
    place = f"/v1/reviews/{owed['id']}/finding"
    own = await client.post(place, json=said, headers=two.one.headers)
    assert problem(own) == (403, "another-person-needed")
    done = await client.post(place, json=said, headers=two.other.headers)
    assert (done.status_code, done.json()["state"]) == (200, "done")


async def test_what_the_only_administrator_does_alone_operators_review(
    client, database, settings
) -> None:
    """No other administrator of the place sees it: theirs are other agencies."""
    two = await _two(database, settings, "administrator")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE post_holdings SET until = since WHERE staff_id = $1", two.other.subject_id
        )
    at = await _staff(database, two)
    short = await client.post(f"{at}/suspension", json={"reason": "x"}, headers=two.one.headers)
    assert [each["pointer"] for each in short.json()["errors"]] == ["#/reason"]
    why = {"reason": REASON}
    gone = await client.post(f"{at}/suspension", json=why, headers=two.one.headers)
    assert gone.status_code == 200, gone.text
    stranger = await a_caller(database, settings, "administrator", COUNTY)
    assert (await client.get("/v1/reviews", headers=stranger.headers)).json()["items"] == []
    operator = await a_caller(database, settings, "operator", NATION)
    [owed] = (await client.get("/v1/reviews", headers=operator.headers)).json()["items"]
    review = f"/v1/reviews/{owed['id']}"
    assert (await client.get(review, headers=operator.headers)).json()["reason"] == REASON
    said = {"finding": "proper", "note": REASON}
    done = await client.post(f"{review}/finding", json=said, headers=operator.headers)
    assert (done.status_code, done.json()["state"]) == (200, "done")


async def test_administrators_of_other_agencies_see_no_proposal(client, database, settings) -> None:
    two = await _two(database, settings, "administrator")
    _, path, _ = await _reset_password(database, two)
    unread = await propose(client, two.one, "resetPassword", path, {"note": "急"})
    assert unread.json()["errors"][0]["code"] == "body_unread"
    made = (await propose(client, two.one, "resetPassword", path)).json()
    above = await a_caller(database, settings, "administrator", COUNTY)
    read = await client.get(f"/v1/approvals/{made['id']}", headers=above.headers)
    assert problem(read) == (404, "approval-not-found")
    assert problem(await decide(client, above, made["id"])) == (404, "approval-not-found")
