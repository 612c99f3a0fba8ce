"""What a batch was answered is kept once, small, and given again whole or in short (I4)."""

import hashlib
import json
import zlib
from uuid import uuid4

import orjson
import pytest

from app.attendance import receipts
from app.core.data.db import SYSTEM
from tests.attendance.factories import a_school, an_event, codes, push

SHORT = {"prefer": "return=minimal"}


@pytest.fixture
async def school(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(database, school):
    return await school.pupil(database)


async def a_mixed_batch(client, school, pupil) -> list[dict]:
    """Return events of which each is taken otherwise; some are stored already."""
    before, taken, late = (an_event(pupil.id, f"2026-11-{day}") for day in (16, 17, 18))
    await push(client, school, before, taken, {**late, "sequence": 2})
    return [
        an_event(pupil.id, "2026-11-19", id='"两"\\', source="urn:a"),
        {**an_event(pupil.id), "category": "asleep"},
        before,
        {**taken, "category": "late"},
        an_event(pupil.id, "2026-11-18"),
        an_event(uuid4()),
        {**an_event(pupil.id, "2026-11-13"), "gate": "south"},
        an_event(pupil.id, "2025-01-02"),
        an_event(pupil.id),
    ]


async def test_the_short_form_tells_what_to_look_at_and_names_the_rest(
    client, school, pupil
) -> None:
    events = await a_mixed_batch(client, school, pupil)
    pushed = await push(client, school, *events, prefer="return=minimal")
    assert pushed.headers["preference-applied"] == "return=minimal"
    answer = pushed.json()
    assert {result["index"]: result["code"] for result in answer["results"]} == {
        1: "literal_error",
        3: "id_taken",
        4: "superseded",
        5: "child_not_found",
        6: "applied",
        7: "applied",
    }
    assert answer["counts"] == {
        "accepted": 5,
        "duplicate": 1,
        "conflict": 1,
        "unresolved": 1,
        "rejected": 1,
    }
    # As a client does it:
    told = {result["index"] for result in answer["results"]}
    rest = [[each["source"], each["id"]] for n, each in enumerate(events) if n not in told]
    text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    assert answer["rest_sha256"] == hashlib.sha256(text.encode()).hexdigest()

    whole = await client.get(pushed.headers["location"], headers=school.system.headers)
    assert [result["index"] for result in whole.json()["results"]] == [*range(9)]
    assert codes(whole)[2:5] == ["duplicate", "id_taken", "superseded"]
    assert [whole.json()["results"][n] for n in sorted(told)] == answer["results"]
    assert whole.json() | {"results": answer["results"]} == answer


@pytest.mark.parametrize("preferred", [{}, SHORT])
@pytest.mark.parametrize("form", [{}, SHORT])
async def test_either_form_is_given_again_under_its_key_byte_for_byte(
    client, database, school, pupil, preferred: dict, form: dict
) -> None:
    events = await a_mixed_batch(client, school, pupil)
    first = await push(client, school, *events, **preferred, **{"idempotency-key": "k"})
    again = await push(client, school, *events, **form, **{"idempotency-key": "k"})
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    for name in ("preference-applied", "location"):
        assert again.headers.get(name) == first.headers.get(name)
    read = await client.get(first.headers["location"], headers=school.system.headers)
    assert (read.content == first.content) is not bool(preferred)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM attendance_batches") == 2


async def test_an_empty_batch_is_known_again(client, school) -> None:
    answers = [await push(client, school, **{"idempotency-key": "none"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].json()["rest_sha256"] == hashlib.sha256(b"[]").hexdigest()


async def test_what_is_kept_is_small_and_once(client, database, school, pupil) -> None:
    pushed = await push(
        client, school, *(an_event(pupil.id) for _ in range(100)), **{"idempotency-key": "many"}
    )
    kept = "SELECT length(answer) FROM attendance_batches"
    under_key = "SELECT length(answer) FROM idempotency_keys"
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval(kept) < len(pushed.content) / 20
        assert await tx.connection.fetchval(under_key) < 500


async def test_what_releases_before_kept_is_read(client, database, school, pupil) -> None:
    events = await a_mixed_batch(client, school, pupil)
    pushed = await push(client, school, *events)
    answered = orjson.dumps({name: pushed.json()[name] for name in ("batch_id", "results")})
    for kept in (answered, zlib.compress(answered)):
        async with database.begin(SYSTEM) as tx:
            copy = (
                "INSERT INTO attendance_batches (id, agency_id, caller, answer, received_at)"
                " SELECT $1, agency_id, caller, $2, received_at FROM attendance_batches"
                " WHERE id = $3"
            )
            before = uuid4()
            await tx.connection.execute(copy, before, kept, pushed.json()["batch_id"])
        again = await client.get(f"/v1/attendance-batches/{before}", headers=school.system.headers)
        assert again.content == pushed.content


LATER = {"doubt", "unread", "spoke_for"}
"""What results did not say in 0.1.0."""


async def test_what_the_first_release_kept_is_read(client, school, pupil) -> None:
    pushed = await push(client, school, an_event(pupil.id), an_event(uuid4()))
    results = [
        {name: said for name, said in result.items() if name not in LATER}
        for result in pushed.json()["results"]
    ]
    kept = orjson.dumps({"batch_id": pushed.json()["batch_id"], "results": results})
    assert receipts.receipt(receipts.unpacked(kept)) == pushed.content


async def test_preferences_stand_side_by_side(client, school, pupil) -> None:
    both = await push(client, school, an_event(pupil.id), prefer="handling=strict, return=minimal")
    assert both.headers["preference-applied"] == "handling=strict, return=minimal"
    assert both.json()["results"] == []


async def test_preferences_may_stand_in_two_lines(client, school, pupil) -> None:
    """RFC 9110, 5.3: lines of one name are one list."""
    prefer = [("prefer", "handling=strict"), ("prefer", "return=minimal")]
    headers = [*school.system.headers.items(), *prefer]
    events = {"events": [an_event(pupil.id)]}
    both = await client.post("/v1/attendance-events", json=events, headers=headers)
    assert both.headers["preference-applied"] == "handling=strict, return=minimal"
