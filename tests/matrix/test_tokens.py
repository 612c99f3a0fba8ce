"""A token that does not count opens nothing; one that does is a ceiling (TOK-4, AZ-1)."""

import base64
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.access import tokens
from app.core.data.db import SYSTEM, Database
from app.core.settings import Settings
from tests.access.factories import keys_of
from tests.conftest import undone
from tests.matrix.asking import ask, kind_of
from tests.matrix.asks import ASKS
from tests.matrix.expectation import ROLES, Answer
from tests.matrix.stage import Stage, a_stage

SCOPES = sorted({scope for role in ROLES.values() for scope in role["scopes"]})


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def _with_scopes(
    database: Database, settings: Settings, stage: Stage, scopes: Iterable[str]
) -> dict[str, str]:
    """The caller's headers, the token claiming other scopes."""
    claims = _claims(stage.caller.token)
    token = tokens.issue(
        keys_of(database, settings),
        subject=claims["sub"],
        grant_id=UUID(claims["grant"]),
        client_id=claims["client_id"],
        agency_id=UUID(claims["agency"]),
        role=claims["role"],
        region_code=int(claims["region"]),
        scopes=frozenset(scopes),
        session_id=UUID(claims["sid"]),
        now=database.clock(),
        seconds=300,
    )
    return {**stage.headers(), "authorization": f"Bearer {token}"}


async def _revoke(database: Database, identity: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO revocations (id, revoked_at, expires_at) VALUES ($1, $2, $2)",
            UUID(identity),
            tx.now,
        )


@pytest.mark.parametrize("ending", ["absent", "expired", "revoked", "signed out"])
async def test_no_token_no_answer(client, database, settings, described, now, ending) -> None:
    stage = await a_stage(database, settings, "civil_affairs", "staff")
    claims = _claims(stage.caller.token)
    headers = stage.headers()
    if ending == "absent":
        del headers["authorization"]
    elif ending == "expired":
        database.clock = lambda: now + timedelta(hours=1)
    else:
        await _revoke(database, claims["jti" if ending == "revoked" else "sid"])
    for each in ASKS:
        answer = await ask(client, described[each.operation], each, stage.targets[0], headers)
        assert answer.status_code == 401, each.operation
        assert answer.json()["type"] == "/problems/unauthenticated"


ASKING = ("civil_affairs", "school", "police", "education_authority", "operator")
"""Roles that have every scope between them."""


@pytest.mark.parametrize("role", ASKING)
async def test_the_scope_an_operation_names_is_the_one(
    client, database, settings, described, role
) -> None:
    """Every other scope together is not enough; the one alone is. The first who has it asks."""
    asked_before = {
        scope for each in ASKING[: ASKING.index(role)] for scope in ROLES[each]["scopes"]
    }
    stage = await a_stage(database, settings, role, "staff")
    headers = {
        scope: (
            _with_scopes(database, settings, stage, {*SCOPES} - {scope}),
            _with_scopes(database, settings, stage, {scope}),
        )
        for scope in {*ROLES[role]["scopes"]} - asked_before
    }
    for each in ASKS:
        operation = described[each.operation]
        if operation.scope not in headers:
            continue
        answers = []
        for sent in headers[operation.scope]:
            async with undone(database):
                answers.append(await ask(client, operation, each, stage.targets[0], sent))
        without, alone = map(kind_of, answers)
        assert without is Answer.NO_SCOPE, operation.id
        assert alone is not Answer.NO_SCOPE, operation.id


def test_some_role_has_every_scope(described) -> None:
    """An operation nobody may call, or a scope that opens nothing, is a slip."""
    assert {operation.scope for operation in described.values()} == {*SCOPES}
    assert {*SCOPES} == {scope for role in ASKING for scope in ROLES[role]["scopes"]}
