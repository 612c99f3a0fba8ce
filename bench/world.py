"""What the benchmark measures on: synthetic children of many counties, and who calls.

`BENCH_CHILDREN` of them, else 20,000: a twentieth in the district that is asked about, among them
a school's 500 pupils, the others in 225 counties of Hebei and Shanxi.
"""

import os
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from app import main
from app.access import operations as access
from app.access import tokens
from app.access.roles import role as role_of
from app.agencies import operations as agencies
from app.agencies.models import AgencyKind
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.regions.divisions import demo_villages, shipped
from app.regions.operations import import_divisions
from demo.register import JIZHOU

HEBEI = 130000000000
CHILDREN = int(os.environ.get("BENCH_CHILDREN", "20000"))
PUPILS = 500

# One file is opened through the API; the others are copies of its row in other villages.
_COPIES = """
INSERT INTO children ({columns})
SELECT {values} FROM children c, generate_series(0, $3 - 1) i
JOIN (SELECT code, row_number() OVER () - 1 AS n, count(*) OVER () AS of FROM regions
      WHERE {places}) v ON v.n = i % v.of
WHERE c.id = $1
"""
_VILLAGES = "code >= $2 AND code < $2 + 1000000 AND code % 1000 <> 0"
# A village that is in no table, but in a township's range, of each county.
_COUNTIES = """code >= 130000000000 AND code < 150000000000 AND code % 1000000 = 0
    AND code % 100000000 <> 0 AND $2::bigint > 0"""

# Each has a key, though only the first one's opens what the copies hold.
_KEYS = """
INSERT INTO child_keys (child_id, home_county, wrapped)
SELECT c.id, c.home_county, k.wrapped FROM children c, (SELECT wrapped FROM child_keys LIMIT 1) k
ON CONFLICT DO NOTHING
"""

# As in a register that is used: of an empty table the planner thinks that it stays so.
_VISITS = """
INSERT INTO visits (id, child_id, home_county, region_code, pupil_of, visited_in, agency_id,
    as_role, version, received_at, updated_at, called, content_mac, visited_on, visitor_type, place,
    channel, abnormal, findings, policies_explained)
SELECT gen_random_uuid(), id, home_county, region_code, school_id, region_code, $2, 'civil_affairs',
    1, now(), now(), id, sha256(id::text::bytea), current_date - 1 - n, 'social_worker', 'home',
    'in_person', false, '[]', '{}'
FROM children CROSS JOIN generate_series(1, 20) n
WHERE region_code >= $1 AND region_code < $1 + 1000000
"""

_AS = {
    AgencyKind.civil_affairs: ("civil_affairs", "care"),
    AgencyKind.school: ("school_system", "education"),
    AgencyKind.police: ("police", "protection"),
}


@dataclass(frozen=True, slots=True)
class World:
    """Who calls what: tokens live ten minutes from when all was built."""

    child: UUID
    pupils: tuple[UUID, ...]
    officer: dict[str, str]
    province: dict[str, str]
    school: dict[str, str]
    police: dict[str, str]


async def build(database: Database, settings: Settings) -> World:
    """Fill an empty, migrated database."""
    async with database.begin(SYSTEM) as tx:
        await import_divisions(tx.connection, shipped())
        await import_divisions(tx.connection, demo_villages())
        village = await tx.connection.fetchval(
            "SELECT min(code) FROM regions WHERE code > $1 AND code % 1000 <> 0", JIZHOU
        )
    officer, office_id = await _caller(database, settings, AgencyKind.civil_affairs, JIZHOU)
    province, _ = await _caller(database, settings, AgencyKind.civil_affairs, HEBEI)
    school, school_id = await _caller(database, settings, AgencyKind.school, JIZHOU)
    police, _ = await _caller(database, settings, AgencyKind.police, JIZHOU)
    child = await _open_file(database, settings, officer, village, school_id)
    async with database.begin(SYSTEM) as tx:
        columns = await _columns(tx.connection)
        near = CHILDREN // 20 - PUPILS
        for number, at_school, places in (
            (CHILDREN - CHILDREN // 20, "NULL", _COUNTIES),
            (near, "NULL", _VILLAGES),
            (PUPILS - 1, "c.school_id", _VILLAGES),
        ):
            changed = {
                "id": "gen_random_uuid()",
                "region_code": "v.code" if places is _VILLAGES else "v.code + 101200",
                "school_id": at_school,
                "resident_id_sealed": "NULL",
                "resident_id_index": "NULL",
            }
            await tx.connection.execute(
                _COPIES.format(
                    columns=", ".join(columns),
                    places=places,
                    values=", ".join(changed.get(name, f"c.{name}") for name in columns),
                ),
                child,
                JIZHOU,
                number,
            )
        await tx.connection.execute(_KEYS)
        await tx.connection.execute(_VISITS, JIZHOU, office_id)
        pupils = await tx.connection.fetch(
            "SELECT id FROM children WHERE school_id = $1", school_id
        )
    ids = tuple(row["id"] for row in pupils)
    for headers in (officer, province, school, police):
        await sign(database, settings, headers)
    return World(child, ids, officer, province, school, police)


async def _columns(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = 'children' AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    return [row["column_name"] for row in rows]


async def _caller(
    database: Database, settings: Settings, kind: AgencyKind, region_code: int
) -> tuple[dict[str, str], UUID]:
    role, purpose = _AS[kind]
    async with database.begin(SYSTEM) as tx:
        owner = await agencies.create_agency(tx, kind, f"bench {kind}", region_code)
        registered = await access.create_machine(
            tx,
            owner,
            name="bench",
            role=role,
            region_code=region_code,
            jwks=None,
            secrets_allowed=True,
        )
    headers = {"purpose-of-use": purpose, "x-client": str(registered.client.id)}
    await sign(database, settings, headers)
    return headers, owner.id


async def sign(
    database: Database, settings: Settings, headers: dict[str, str], key: str | None = None
) -> None:
    """Give a client a token from now on, bound to the key of a thumbprint if one is given."""
    client = UUID(headers["x-client"])
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT agency_id, role, region_code FROM clients WHERE id = $1", client
        )
    token = tokens.issue(
        tokens.token_keys(
            database.keyring.signing,
            issuer=settings.tokens.issuer,
            audience=settings.tokens.audience,
        ),
        subject=f"client:{client}",
        grant_id=client,
        client_id=str(client),
        agency_id=row["agency_id"],
        role=row["role"],
        region_code=row["region_code"],
        scopes=frozenset(role_of(row["role"]).scopes),
        session_id=new_id(),
        now=database.clock(),
        seconds=600,
        key=key,
    )
    headers["authorization"] = f"{'DPoP' if key else 'Bearer'} {token}"


async def _open_file(
    database: Database, settings: Settings, caller: dict[str, str], village: int, school_id: UUID
) -> UUID:
    body: dict[str, Any] = {
        "identity": {"name": "样零", "sex": "female", "birth_date": "2016-03-01"},
        "hukou": {"registered": True, "type": "rural", "region_code": f"{village:012d}"},
        "residence": {"region_code": f"{village:012d}", "address": "样例路一号"},
        "family": {
            "parents": [
                {"role": role, "statuses": [{"status": "away", "since": "2023-01-01"}]}
                for role in ("father", "mother")
            ]
        },
        "guardianship": {"kind": "grandparents", "evaluation": "fair"},
        "education": {"school_id": str(school_id), "stage": "primary", "status": "enrolled"},
    }
    headers = {**caller, "purpose-of-use": "registration"}
    answer = await call(database, settings, "POST", "/v1/children", headers, body)
    return UUID(answer.json()["id"])


async def call(
    database: Database,
    settings: Settings,
    method: str,
    path: str,
    headers: dict[str, str],
    body: Any = None,
) -> httpx.Response:
    """Send one request through the app in this process, on the given database."""
    app = main.create_app(settings)
    async with main.state(settings, database) as shared:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            answer = await http.request(method, path, headers=headers, json=body)
    if not answer.is_success:
        raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer
