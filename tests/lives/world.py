"""Two counties with their villages, schools, offices and children, as they truly are.

The people here know only what they may; the world knows where each child lived and went to school
on every day, so that it can say who had the authority when something happened.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import CHINA, local_date
from app.core.data.db import SYSTEM, Database
from app.core.settings import Settings
from app.regions import divisions, operations
from tests.access.factories import Caller, a_caller, renewed
from tests.attendance.factories import School
from tests.children.factories import a_child
from tests.police_reports.factories import an_endpoint
from tests.regions.factories import some_regions

BEGINNING = datetime(2026, 9, 1, 8, tzinfo=CHINA)
"""A Tuesday, the first day of a school year."""

VILLAGES = (120119101200, 120119101201, 120119102201, 120118101201)
"""Two of one township, one of the next, one of another county."""


CLASS = "三年级2班"
CITY = 120100000000
BEFORE_2016 = 120225000000
"""蓟县, since 蓟州区 120119."""


def township_of(village: int) -> int:
    return village // 1000 * 1000


def county_of(village: int) -> int:
    return village // 10**6 * 10**6


@dataclass(slots=True)
class Life:
    """A child: since when it lived in which place, and was enrolled at which school."""

    id: UUID
    homes: list[tuple[date, int]]
    schools: list[tuple[date, UUID | None]]

    def home(self, on: date) -> int:
        return next(place for since, place in reversed(self.homes) if since <= on)

    def school(self, on: date) -> UUID | None:
        return next(school for since, school in reversed(self.schools) if since <= on)


@dataclass(frozen=True, slots=True)
class Sent:
    """Evidence somebody sent: which kind, under which id, and what was answered."""

    kind: str
    key: tuple[Any, ...]
    status: int
    said: str


@dataclass
class World:
    """All of it, and what was sent so far. `places`: the codes of the villages as of today."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    rng: Random
    now: datetime
    city: Caller
    places: list[int] = field(default_factory=lambda: [*VILLAGES])
    old_codes: list[int] = field(default_factory=list)
    recoded: dict[int, date] = field(default_factory=dict)
    directors: list[Caller] = field(default_factory=list)
    townships: dict[int, Caller] = field(default_factory=dict)
    counties: dict[int, Caller] = field(default_factory=dict)
    educations: dict[int, Caller] = field(default_factory=dict)
    police: dict[int, Caller] = field(default_factory=dict)
    endpoints: dict[UUID, UUID] = field(default_factory=dict)
    schools: dict[UUID, School] = field(default_factory=dict)
    teachers: dict[UUID, Caller] = field(default_factory=dict)
    children: list[Life] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What happened, for who must find out why something is not true."""

    @property
    def today(self) -> date:
        return local_date(self.now)

    def tell(self, words: str) -> None:
        self.told.append(f"{self.now:%m-%d %H:%M} {words}")

    async def call(
        self, who: Caller, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """Send a request with a token of this minute."""
        token = renewed(self.database, self.settings, who)
        return await self.client.request(
            method, f"/v1/{path}", json=body, headers={**token.headers, **headers}
        )

    async def change_file(self, life: Life, sections: dict[str, Any]) -> httpx.Response:
        """Let civil affairs of the city, which holds both counties, change a file."""
        read = await self.call(self.city, "GET", f"children/{life.id}")
        assert read.status_code == 200, read.text
        changed = {"if-match": read.headers["etag"]}
        return await self.call(self.city, "PATCH", f"children/{life.id}", sections, **changed)


async def a_world(
    client: httpx.AsyncClient, database: Database, settings: Settings, seed: int
) -> World:
    database.clock = lambda: BEGINNING
    city = await a_caller(database, settings, "civil_affairs", CITY)
    world = World(client, database, settings, Random(seed), BEGINNING, city)
    database.clock = lambda: world.now

    async def caller(role: str, region: int, **more: Any) -> Caller:
        return await a_caller(database, settings, role, region, **more)

    await some_regions(database, *VILLAGES)
    async with database.begin(SYSTEM) as tx:
        replaced = [row for row in divisions.replaced() if row.code == BEFORE_2016]
        await operations.import_replaced(tx.connection, replaced)
    world.old_codes.append(BEFORE_2016)
    for village in VILLAGES:
        world.directors.append(await caller("village_director", village))
    for place in sorted({township_of(village) for village in VILLAGES}):
        world.townships[place] = await caller("township_supervisor", place)
        system = await caller("school_system", place)
        world.schools[system.agency_id] = School(system.agency_id, system)
        world.teachers[system.agency_id] = await caller("school", place, agency_id=system.agency_id)
    for place in sorted({county_of(village) for village in VILLAGES}):
        world.counties[place] = await caller("civil_affairs", place)
        world.educations[place] = await caller("education_authority", place)
    for place in (*world.townships, *world.counties):
        world.police[place] = officer = await caller("police", place)
        world.endpoints[officer.agency_id] = await an_endpoint(database, officer.agency_id, place)
    for _ in range(6):
        await _a_life(world)
    return world


async def _a_life(world: World) -> None:
    home = world.rng.randrange(len(VILLAGES))
    school = world.rng.choice([*world.schools])
    since = world.today - timedelta(days=30)
    child = await a_child(
        world.database,
        VILLAGES[home],
        residence={"region_code": f"{VILLAGES[home]:012d}"},
    )
    life = Life(child.id, [(since, home)], [(since, school)])
    enrolled = {"school_id": str(school), "class_name": CLASS, "since": since.isoformat()}
    answer = await world.change_file(life, {"education": enrolled})
    assert answer.status_code == 200, answer.text
    world.children.append(life)


async def rows(world: World, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    """Ask the database past everybody's remit."""
    async with world.database.begin(SYSTEM) as tx:
        return [dict(row) for row in await tx.connection.fetch(statement, *arguments)]


Deed = Callable[[World], Any]
