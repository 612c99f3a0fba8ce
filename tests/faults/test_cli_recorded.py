"""What operators do by command stands in the record with their names."""

import asyncio
import json
import os
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from app.access.operations import create_staff
from app.agencies.models import AgencyKind
from app.agencies.operations import create_agency
from app.cli.console import in_session, in_transaction
from app.core.data.db import Tx
from tests import schema
from tests.faults.command import Tonghu
from tests.regions.factories import some_regions

INIT = ("init", "--first", "甲", "op.one", "--second", "乙", "op.two")
PROVINCE = 120000000000


@pytest.fixture(scope="module")
def urls(pg: str) -> Iterator[schema.Urls]:
    name = f"tonghu_cli_recorded_{os.getpid()}"
    urls = schema.make(pg, name)
    yield urls
    asyncio.run(schema.drop(pg, name))


async def recorded(tx: Tx) -> list[asyncpg.Record]:
    return await tx.connection.fetch(
        "SELECT operation, actor, role, subject_id::text, beside_ids::text[] AS beside"
        " FROM audit_entries ORDER BY at, id"
    )


def test_who_was_named_who_signed_in_and_who_is_one_person(tonghu: Tonghu) -> None:
    named = json.loads(tonghu(*INIT)[1])["operators"]
    one, two = named
    (founded,) = in_transaction(recorded)
    assert (founded["operation"], founded["actor"]) == ("nameOperators", "system")

    wrong = ("--by", "op.one", "--password", "none of theirs")
    same = ("staff", "same", one["staff_id"], two["staff_id"])
    assert "No operator signs in" in tonghu(*same, *wrong)[2]
    assert len(in_transaction(recorded)) == 1

    by = ("--by", "op.one", "--password", one["password"])
    assert tonghu("approvals", "list", *by)[1] == "There is none.\n"
    assert tonghu(*same, *by)[0] == 0
    _, *rows = in_transaction(recorded)
    said = {row["operation"]: (row["actor"], row["role"]) for row in rows}
    theirs = (f"staff:{one['staff_id']}", "operator")
    assert said == {"signIn": theirs, "noteSamePerson": theirs}, "a list names nobody"
    about = next(row for row in rows if row["operation"] == "noteSamePerson")
    assert (about["subject_id"], about["beside"]) == (one["staff_id"], [two["staff_id"]])


def test_who_is_no_operator_gives_no_command(tonghu: Tonghu) -> None:
    async def an_auditor(tx: Tx) -> None:
        agency = await create_agency(tx, AgencyKind.supervision, "测试监督机构", PROVINCE)
        who = {"name": "丙", "username": "au.one", "password": "湖边 seven lanterns"}
        await create_staff(tx, agency, **who, role="auditor", region_code=PROVINCE)

    in_session(lambda session: some_regions(session.database, PROVINCE))
    in_transaction(an_auditor)
    theirs = ("--by", "au.one", "--password", "湖边 seven lanterns")
    same = ("staff", "same", str(uuid4()), str(uuid4()))
    assert "No operator signs in" in tonghu(*same, *theirs)[2]
