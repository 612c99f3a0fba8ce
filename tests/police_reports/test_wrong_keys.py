"""Reports that a process with wrong keys took in: once filed, whoever had them before (DB-6)."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from app.core.data import keys
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.key_file import KeyFile
from app.police_reports import models
from app.police_reports.operations import spooling
from app.police_reports.schemas.filing import ReportCreate
from tests.conftest import calling
from tests.police_reports.factories import Offices, a_report, rows, the_offices
from tests.police_reports.test_spooled import spooled_are_filed

URL = "/v1/police-reports"


@pytest.fixture
async def offices(live_database, settings) -> Offices:
    await KeyFile(live_database.keyring).look(live_database)  # before there is any data
    return await the_offices(live_database, settings)


@pytest.fixture
async def right(app, settings, live_database, offices) -> AsyncIterator[httpx.AsyncClient]:
    database = Database(live_database.engine, live_database.keyring, live_database.clock)
    await KeyFile(database.keyring).look(database)
    async with calling(app, settings, database) as client:
        yield client


@pytest.fixture
async def wrong(app, settings, live_database, right) -> AsyncIterator[httpx.AsyncClient]:
    database = Database(live_database.engine, Keyring.generate(), live_database.clock)
    await KeyFile(database.keyring).look(database)
    async with calling(app, settings, database) as client:
        yield client


async def send(client, report, offices, **headers) -> tuple[int, dict[str, str]]:
    answer = await client.post(URL, json=report, headers={**offices.school.headers, **headers})
    return answer.status_code, answer.json()


async def narratives(database) -> list[str]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT * FROM police_reports")
        await keys.of_rows(tx, rows)
        return sorted(
            tx.keyring.unseal(models.NARRATIVE, row["id"], row["narrative_sealed"]) for row in rows
        )


async def test_what_was_filed_before_is_not_filed_again(
    live_database, offices, right, wrong
) -> None:
    report = a_report(id=str(uuid4()))
    other = {**report, "narrative": "又一件事。"}
    assert (await send(right, report, offices))[0] == 201
    told = [await send(wrong, each, offices) for each in (report, report, other)]
    assert [code for code, _ in told] == [202, 202, 202]
    assert told[0] == told[1]
    ids = {said["report_id"] for _, said in told}
    assert (len(ids), report["id"] in ids) == (2, False)
    await spooled_are_filed(live_database)
    assert await narratives(live_database) == sorted([report["narrative"], other["narrative"]])
    assert not await rows(live_database, "spooled_reports")
    filed = {str(row["id"]) for row in await rows(live_database, "police_reports")}
    assert told[2][1]["report_id"] in filed, "the id that was told"


async def test_what_waits_already_is_filed_once(
    live_database, offices, right, wrong, settings
) -> None:
    """A right process spooled it, since nothing could be recorded."""
    report = a_report(id=str(uuid4()))
    other = {**report, "narrative": "又一件事。"}
    assert (await send(wrong, report, offices))[0] == 202
    first = await rows(live_database, "spooled_reports")
    async with live_database.begin(SYSTEM) as tx:
        said = spooling.orjson.loads(
            tx.keyring.unseal_away("spooled_reports.sealed", first[0]["id"], first[0]["sealed"])
        )
        body = said.pop("body").encode("latin-1")
        principal = spooling.as_kept(said)
        await tx.connection.execute("DELETE FROM spooled_reports")
        new = ReportCreate.model_validate_json(body)
        await spooling.spool_report(tx, principal, new, body)
    for again in (report, other):
        code, told = await send(wrong, again, offices)
        assert (code, told["report_id"] != report["id"]) == (202, True)
    assert len(await rows(live_database, "spooled_reports")) == 3
    await spooled_are_filed(live_database)
    assert await narratives(live_database) == sorted([report["narrative"], other["narrative"]])
    assert not await rows(live_database, "spooled_reports")


async def test_an_id_that_is_none_is_known_again(live_database, offices, right, wrong) -> None:
    report = a_report(id="none of ours")
    told = [await send(wrong, report, offices) for _ in range(2)]
    assert told[0] == told[1]
    code, filed = await send(right, report, offices)
    assert (code, filed["id"]) == (201, told[0][1]["report_id"])
    assert not await rows(live_database, "spooled_reports")
    again = await send(right, report, offices)
    assert (again[0], again[1]["id"]) == (200, filed["id"])
    waits = a_report(id="none of ours", narrative="又一件事。")
    _, spooled = await send(wrong, waits, offices)
    read = await right.get(f"{URL}/{spooled['report_id']}", headers=offices.school.headers)
    assert (read.status_code, read.json()["type"]) == (503, "/problems/report-waits")
    await spooled_are_filed(live_database)
    code, again = await send(right, waits, offices)
    assert (code, again["id"]) == (200, spooled["report_id"])


async def test_an_answer_that_was_sealed_is_given_by_who_has_the_keys(
    offices, right, wrong, live_database
) -> None:
    key, report = {"idempotency-key": "the-same"}, a_report()
    first = await send(right, report, offices, **key)
    code, said = await send(wrong, report, offices, **key)
    assert (code, said["type"]) == (503, "/problems/keys-wrong")
    code, other = await send(wrong, {**report, "narrative": "又一件事。"}, offices, **key)
    assert code == 202, "another report is taken whatever its key"
    assert await send(wrong, {**report, "narrative": "又一件事。"}, offices, **key) == (202, other)
    assert await send(right, report, offices, **key) == first
    await spooled_are_filed(live_database)
    assert len(await rows(live_database, "police_reports")) == 2


async def test_tokens_are_verified_and_none_is_issued(offices, right, wrong) -> None:
    forged = {"authorization": offices.school.headers["authorization"][:-4] + "AAAA"}
    assert (await wrong.post(URL, json=a_report(), headers=forged)).status_code == 401
    form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
    refused = await wrong.post("/oauth/token", data=form)
    assert refused.status_code == 503, refused.text
    for path in ("/v1/me", "/v1/duties", "/.well-known/jwks.json"):  # which take no key
        refused = await wrong.get(path, headers=offices.school.headers)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/keys-wrong")
    assert (await right.get("/readyz")).status_code == 200
    assert (await wrong.get("/readyz")).status_code == 503
