"""Random families of four villages and those who owe them something: born, left, bereaved, adopted,
moved, visited or not, by people who come and go, under a policy that changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest

from app.children import derivation
from app.core.clock import local_date
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs import queue
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller, a_new_post, renewed
from tests.children.factories import a_file
from tests.confirmations.matrix import a_confirmation
from tests.jobs import run_jobs
from tests.lives.world import BEGINNING, VILLAGES, World, county_of, township_of
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong

_NIGHTLY: Final = ("duties.mark_overdue", "duties.open_period", "children.rederive")
_PARENT: Final = ("away", "away", "at_home", "dead", "missing", "left_home", None)
_STATUTE: Final = derivation.policy_on


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did, as it truly was: `counts` for the rules it discharges."""

    id: UUID
    child: UUID
    day: date
    counts: frozenset[str]


@dataclass
class Families(World):
    """`deeds`: all that was done, `decided`: when what a file left open was filled in, `age_limit`:
    the policy of now, `unmet`: each duty ever seen open or overdue, `nightly`: when the worker's
    nightly work was last done.
    """

    deeds: list[Deed] = field(default_factory=list)
    homes: dict[UUID, int] = field(default_factory=dict)
    found: dict[UUID, date] = field(default_factory=dict)
    decided: set[tuple[UUID, date]] = field(default_factory=set)
    unmet: dict[UUID, Any] = field(default_factory=dict)
    age_limit: int = 16
    nightly: datetime = BEGINNING

    async def read(self, who: Caller, path: str) -> Any:
        return await self.client.get(
            f"/v1/{path}", headers=renewed(self.database, self.settings, who).headers
        )


async def families(
    client: Any, database: Database, settings: Settings, seed: int, patch: pytest.MonkeyPatch
) -> Families:
    """Make the villages and those who serve them; children are born by and by."""
    database.clock = lambda: BEGINNING
    city = await a_caller(database, settings, "civil_affairs", 120100000000)
    world = Families(client, database, settings, Random(seed), BEGINNING, city)
    database.clock = lambda: world.now
    patch.setattr(
        derivation,
        "policy_on",
        lambda code, on: {**_STATUTE(code, on), "lbc.age_limit": world.age_limit},
    )
    patch.setattr(derivation, "made_by", lambda: str(world.age_limit))
    await some_regions(database, *VILLAGES)
    for village in VILLAGES:
        world.directors.append(await a_caller(database, settings, "village_director", village))
    for place in sorted({township_of(village) for village in VILLAGES}):
        world.townships[place] = await a_caller(database, settings, "township_supervisor", place)
    for place in sorted({county_of(village) for village in VILLAGES}):
        world.counties[place] = await a_caller(database, settings, "civil_affairs", place)
    for _ in range(3):
        await a_birth(world)
    return world


def _parents(world: Families) -> list[dict[str, Any]]:
    chosen = {role: world.rng.choice(_PARENT) for role in ("father", "mother")}
    return [
        {"role": role, "statuses": [{"status": status, "since": "2020-01-01"}]}
        for role, status in chosen.items()
        if status is not None
    ]


async def a_birth(world: Families) -> None:
    """A file is opened, often of a child near a birthday that changes what is owed."""
    at = world.rng.randrange(len(VILLAGES))
    born = world.today.replace(day=1, year=world.today.year - world.rng.choice([5, 8, 14, 16]))
    born += timedelta(days=world.rng.randint(0, 60))
    body = a_file(VILLAGES[at], family={"parents": _parents(world)})
    body["identity"] |= {"birth_date": min(born, world.today).isoformat(), "resident_id": None}
    body["identity"]["name"] = f"样{chr(0x4E00 + len(world.homes))}"
    body["education"] = {"stage": "primary", "status": "enrolled"}
    answer = await world.call(world.directors[at], "POST", "children", body)
    assert answer.status_code == 201, answer.text
    world.homes[UUID(answer.json()["id"])] = at
    world.tell(f"{answer.json()['id']} born {born} in {VILLAGES[at]}: {answer.json()['derived']}")
    await run_jobs(world.database)


async def _change(world: Families, child: UUID, sections: dict[str, Any]) -> None:
    read = await world.read(world.city, f"children/{child}")
    etag = {"if-match": read.headers["etag"]}
    answer = await world.call(world.city, "PATCH", f"children/{child}", sections, **etag)
    assert answer.status_code == 200, answer.text
    before, after = read.json()["derived"]["undecided"], answer.json()["derived"]["undecided"]
    if before and not after:
        world.decided.add((child, world.today))
    world.tell(f"{child}: {sections}")
    await run_jobs(world.database)


def _one(world: Families) -> UUID:
    return world.rng.choice([*world.homes])


async def a_parent_leaves_comes_or_dies(world: Families) -> None:
    await _change(world, _one(world), {"family": {"parents": _parents(world)}})


async def an_adoption(world: Families) -> None:
    adoption = {"adopted_on": world.today.isoformat(), "adopted_by": "two"}
    await _change(world, _one(world), {"adoption": adoption})


async def a_move(world: Families) -> None:
    child, home = _one(world), world.rng.randrange(len(VILLAGES))
    await _change(world, child, {"residence": {"region_code": f"{VILLAGES[home]:012d}"}})
    world.homes[child] = home


async def another_policy(world: Families) -> None:
    world.age_limit = 30 - world.age_limit  # 16, or 14
    world.tell(f"the age limit is {world.age_limit}")


async def another_director(world: Families) -> None:
    """The director leaves for a post elsewhere, and somebody new comes to the village."""
    at = world.rng.randrange(len(VILLAGES))
    left = world.directors[at]
    to = township_of(VILLAGES[at]) + 999
    day = local_date(world.now)
    args = (world.database, world.settings)
    await a_new_post(*args, left, "village_director", to, day)
    world.directors[at] = await a_caller(*args, "village_director", VILLAGES[at])
    world.tell(f"{VILLAGES[at]} has another director")


async def a_visit_is_paid(world: Families) -> None:
    """By the director, at the door or by phone; or a clerk types that the director came."""
    rng = world.rng
    child = _one(world)
    director = world.directors[world.homes[child]]
    county = world.counties[county_of(VILLAGES[world.homes[child]])]
    who, channel = rng.choice([director] * 3 + [county]), rng.choice(["in_person"] * 3 + ["phone"])
    kind = rng.choice(["nothing", "looked", "wrong"])
    day = world.today - timedelta(days=rng.choice([0, 0, 1]))
    looked = {"domain": "guardianship", "abnormal": False}
    findings = {
        "nothing": [],
        "looked": [looked],
        "wrong": [something_wrong(type="poverty", refer_to=[])],
    }
    explained = rng.choice([[], ["child_welfare"]])
    body = a_visit(
        child,
        visited_on=day.isoformat(),
        channel=channel,
        findings=findings[kind],
        policies_explained=explained,
    )
    answer = await world.call(who, "POST", "visits", body)
    assert answer.status_code == 201, answer.text
    there = channel == "in_person"
    came = who is director
    counts = {"VIS-01"} if there and came else set()
    counts |= {"VIS-03"} if there and came and kind != "nothing" else set()
    counts |= {"VIS-03.explain"} if came and explained else set()
    visit = UUID(body["id"])
    world.deeds.append(Deed(visit, child, day, frozenset(counts)))
    if kind == "wrong":
        world.found[visit] = day
    world.tell(f"{child} visited on {day}: {channel} {kind} {explained} {sorted(counts)}")
    await run_jobs(world.database)


async def a_file_is_confirmed(world: Families) -> None:
    child = _one(world)
    director = world.directors[world.homes[child]]
    who = world.rng.choice([director, director, world.city])
    body = a_confirmation(child, id=str(new_id()), confirmed_on=world.today.isoformat())
    answer = await world.call(who, "POST", "confirmations", body)
    assert answer.status_code == 201, answer.text
    counts = frozenset({"REG-03.confirm"} if who is director else ())
    world.deeds.append(Deed(UUID(body["id"]), child, world.today, counts))
    await run_jobs(world.database)


async def weeks_pass(world: Families) -> None:
    """Up to three, and the worker does its nightly work."""
    world.now += timedelta(days=world.rng.randint(1, 21))
    for name in _NIGHTLY:  # in this order by the clock
        async with world.database.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, name, [{}])
        await run_jobs(world.database)
    world.nightly = world.now
    world.tell("weeks have passed")


DEEDS: Final[tuple[Callable[[Families], Any], ...]] = (
    a_birth,
    *((weeks_pass,) * 5),
    *((a_visit_is_paid,) * 5),
    *((a_parent_leaves_comes_or_dies,) * 2),
    an_adoption,
    *((a_move,) * 2),
    another_policy,
    another_director,
    *((a_file_is_confirmed,) * 2),
)
