"""What the offices of where a child lived before it moved still read and do."""

from datetime import timedelta

from tests.police_reports.test_chain import ASSESS, AT, CLOSE, DISPOSE, URL, step
from tests.police_reports.test_parties import (
    NEXT_VILLAGE,
    child,
    home,
    listed,
    move,
    next_home,
    of_child,
    offices,
)

__all__ = ["child", "home", "next_home", "offices"]


async def test_where_a_child_lived_before_it_does_not_end_the_case(
    client, database, settings, offices, home, next_home, child
) -> None:
    report_id = await of_child(client, offices, child)
    await move(client, database, settings, child, NEXT_VILLAGE)
    body = {**CLOSE, "reason": "unfounded", "explanation": "查无此事。"}
    for path in ("closure", "closure/confirmation"):
        answer = await step(
            client, home, report_id, path, body if path == "closure" else {"confirmed_at": AT}
        )
        assert answer.json()["type"] == "/problems/not-your-part"
    read = await client.get(f"{URL}/{report_id}", headers=home.headers)
    assert not {"closeReport", "confirmClosure"} & {*read.json()["permitted"]}
    assert await listed(client, home, "permitted=closeReport") == []
    assert await listed(client, next_home, "permitted=closeReport") == [report_id]
    assert (await step(client, next_home, report_id, "closure", body)).status_code == 201


async def test_a_former_home_reads_what_was_there_up_to_the_move_and_its_own(
    client, database, settings, offices, home, next_home, child, monkeypatch
) -> None:
    report_id = await of_child(client, offices, child)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await move(client, database, settings, child, NEXT_VILLAGE)
    later = database.clock() + timedelta(minutes=2)
    monkeypatch.setattr(database, "clock", lambda: later)
    await step(client, next_home, report_id, "assessment", {**ASSESS, "summary": "新家的事。"})
    seen = {}
    for who in (home, next_home, offices.township):
        for path in ("", "/chain"):
            read = await client.get(f"{URL}/{report_id}{path}", headers=who.headers)
            seen[who.agency_id, path] = {each["step"] for each in read.json()["steps"]}
    for path in ("", "/chain"):
        assert seen[home.agency_id, path] == {"disposed"}
        assert seen[next_home.agency_id, path] == {"disposed", "assessed"}
        assert seen[offices.township.agency_id, path] == {"disposed", "assessed"}
