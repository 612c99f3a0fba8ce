"""Tests of a field `health.blood_type`, run in a copy of the project where it was added."""

import orjson
import pytest

from app.children import schemas
from app.core.data import keys
from app.core.data.db import SYSTEM

VALUE = "AB"


@pytest.fixture
async def file(open_file, director):
    answer = await open_file(director, health={"status": "healthy", "blood_type": VALUE})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_is_shown_changed_and_remembered(file, client, director) -> None:
    assert file["health"]["blood_type"] == VALUE
    path = f"/v1/children/{file['id']}"
    changed = await client.patch(
        path,
        json={"health": {"blood_type": "O"}},
        headers={**director.headers, "if-match": '"1"'},
    )
    assert changed.json()["health"] == {**file["health"], "blood_type": "O"}
    history = (await client.get(f"{path}/history", headers=director.headers)).json()
    assert history["items"][0]["changes"] == [
        {"pointer": "/health/blood_type", "before": VALUE, "after": "O", "as_sent": None}
    ]


async def test_takes_its_codes_only(open_file, director) -> None:
    answer = await open_file(director, health={"blood_type": "C"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/health/blood_type"


async def test_is_encrypted_at_rest(file, database) -> None:
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM children")
        await keys.of_rows(tx, [row])
    assert "blood_type" not in row["health"]
    assert f'"{VALUE}"' not in str(dict(row))
    sealed = tx.keyring.unseal("children.health_sealed", row["id"], row["health_sealed"])
    assert orjson.loads(sealed)["blood_type"] == VALUE


async def test_its_codes_are_served(client, director) -> None:
    found = await client.get("/v1/codelists/blood_types", headers=director.headers)
    assert {"code": "AB", "zh": "AB型", "en": "AB"} in found.json()["codes"]


def test_the_document_has_it() -> None:
    for model in (schemas.ChildCreate, schemas.ChildChange, schemas.Child):
        health = model.model_json_schema()["$defs"]["Health"]
        assert health["properties"]["blood_type"]["anyOf"][0]["enum"] == ["A", "B", "AB", "O"]
