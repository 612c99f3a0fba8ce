"""Every operation, asked by each role at each level it may hold, with each filter it has."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import httpx

from app.children.naming import spell
from app.core.data.db import Database
from app.core.settings import Settings
from app.regions.rules import lineage
from tests.access.factories import Caller, a_caller
from tests.conftest import PinnedDatabase, undone
from tests.matrix.asking import ask
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation
from tests.matrix.expectation import PURPOSES, ROLES
from tests.matrix.facts import Holder, Target
from tests.matrix.groups import CALLERS
from tests.matrix.parts import Ask, always
from tests.plans.approving import approved, takes_two
from tests.plans.judging import Judged, Watch
from tests.plans.likely import name_of
from tests.plans.readying import readied
from tests.plans.telling import Asked
from tests.plans.world import Kept

_REFUSED = {HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
DEPTH = 5
"""Pages of the greatest length before the one that is judged."""
NEWEST = 40
"""No version in the register is higher: what was done to it raised some."""
_LEVELS = ("village", "township", "county", "prefecture", "province", "nation")


def callers() -> Iterator[tuple[str, Holder, str]]:
    """Every role as everyone who may hold it, at each of its levels."""
    for role, holder in CALLERS:
        for level in ROLES[role]["levels"]:
            if level != "prefecture":  # between a county and a province in every respect
                yield role, holder, level


def _region(level: str, target: Target) -> int:
    if level == "nation":
        return 0
    places = dict(zip(_LEVELS[::-1], sorted({0, *lineage(target.region)}), strict=True))
    return places[level]


async def asked_of(
    client: httpx.AsyncClient,
    database: PinnedDatabase,
    settings: Settings,
    kept: Kept,
    document: Mapping[str, Any],
    described: Mapping[str, Operation],
    who: tuple[str, Holder, str],
    watch: Watch,
    only: str,
) -> list[Asked]:
    """Ask all a caller may ask. What they are and did is taken back."""
    role, holder, level = who
    target = kept.target(min(ROLES[role]["agency_kinds"]))
    async with undone(database):
        caller = await somebody(database, settings, kept, target, who)
        headers = {
            "authorization": f"Bearer {caller.token}",
            "purpose-of-use": (ROLES[role]["purposes"] or PURPOSES)[0],
        }
        found = []
        # What reads comes first: rows that were written and taken back are read past until swept.
        for each in sorted(ASKS, key=lambda ask: described[ask.operation].method != "GET"):
            operation = described[each.operation]
            if operation.scope not in ROLES[role]["scopes"] or only not in operation.id:
                continue
            for name, query, form in _forms(document, operation, each, kept, target):
                watch.taken()
                async with undone(database):
                    own = await _deep(client, operation, query, headers)
                    by_one = _Asking(client, database, settings, watch, caller, headers)
                    answer, judged = await by_one.ask(operation, form, target, own)
                    refused = holder == "staff" and answer.status_code in _REFUSED
                    made = refused and await readied(database, caller, operation.id, form, target)
                    if made:
                        answer, more = await by_one.ask(operation, *made, own)
                        judged += more
                found.append(Asked(name, f"{role} {holder} {level}", answer.status_code, judged))
    return found


@dataclass(frozen=True, slots=True)
class _Asking:
    """Somebody who asks, watched."""

    client: httpx.AsyncClient
    database: PinnedDatabase
    settings: Settings
    watch: Watch
    caller: Caller
    headers: Mapping[str, str]

    async def ask(
        self, operation: Operation, form: Ask, target: Target, query: Mapping[str, str]
    ) -> tuple[httpx.Response, list[Judged]]:
        """Ask in the version there is and, if it takes two people, as approved by another."""
        for version in range(1, NEWEST):
            answer = await self._once(operation, form, target, query, version)
            if answer.status_code != HTTPStatus.PRECONDITION_FAILED:
                break
        if self.caller.claims["subject"].startswith("staff:") and takes_two(answer):
            by = await approved(
                self.database, self.settings, self.caller, operation, answer.request
            )
            answer = await self._once(operation, form, target, query, version, approval=by)
        return answer, self.watch.taken()

    async def _once(
        self,
        operation: Operation,
        form: Ask,
        target: Target,
        query: Mapping[str, str],
        version: int,
        **headers: str,
    ) -> httpx.Response:
        self.watch.taken()
        self.watch.on = True
        said = {**self.headers, **headers}
        answer = await _ask(
            self.client, operation, form, target, said, query, if_match=f'"{version}"'
        )
        self.watch.on = False
        return answer


async def somebody(
    database: Database,
    settings: Settings,
    kept: Kept,
    target: Target,
    who: tuple[str, Holder, str],
) -> Caller:
    """Make a caller of the agency that has much in the register, if one of its kind has."""
    role, holder, level = who
    kinds = {of.kind: of.agency for of, _ in kept.stages}
    agency = kinds.get(min(ROLES[role]["agency_kinds"]))
    return await a_caller(
        database,
        settings,
        role,
        _region(level, target),
        agency_id=kept.called(agency) if agency else None,
        machine=holder == "machine",
    )


async def _ask(
    client: httpx.AsyncClient,
    operation: Operation,
    each: Ask,
    target: Target,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    if_match: str,
) -> httpx.Response:
    merged = {**(each.query(target) if each.query else {}), **query}
    plain = Ask(each.operation, each.body, (lambda _: merged) if merged else None)
    return await ask(client, operation, plain, target, headers, if_match=if_match)


async def _deep(
    client: httpx.AsyncClient,
    operation: Operation,
    query: dict[str, str],
    headers: Mapping[str, str],
) -> dict[str, str]:
    """Put the cursor of a page deep inside in the place of the word for it."""
    if query.get("cursor") != "deep":
        return query
    asked: dict[str, str] = {"limit": "200"}
    for _ in range(DEPTH):
        answer = await client.get(operation.path, params=asked, headers=dict(headers))
        cursor = answer.json().get("next_cursor") if answer.status_code == 200 else None
        if cursor is None:
            break
        asked = {"limit": "200", "cursor": cursor}
    return {**{name: value for name, value in query.items() if name != "cursor"}, **asked} | (
        {"limit": query["limit"]} if "limit" in query else {"limit": "50"}
    )


def _forms(
    document: Mapping[str, Any], operation: Operation, each: Ask, kept: Kept, target: Target
) -> Iterator[tuple[str, dict[str, str], Ask]]:
    """Name each request with its query, and with what else it says if it has several forms."""
    for name, query in _queries(document, operation, each, target):
        yield name, query, each
    if operation.id == "searchChildren":
        for what, body in searches(name_of(kept.copy)).items():
            yield f"{operation.id}?{what}", {}, replace(each, body=always({**body, "limit": 50}))


def searches(name: str) -> dict[str, dict[str, str]]:
    """Say how a child of a name in the register is sought, and one of none."""
    spelt = [str(spell(character)["name_pinyin"]) for character in name]
    return {
        "exact": {"name": name},
        "prefix": {"name": name[:2], "match": "prefix"},
        "suffix": {"name": name[1:], "match": "suffix"},
        "infix": {"name": name[1:], "match": "infix"},
        "nobody": {"name": "样样", "match": "infix"},
        "pinyin": {"pinyin": "".join(spelt)},
        "begun": {"pinyin": spelt[0] + spelt[1][0]},
        "initials": {"pinyin": "".join(each[0] for each in spelt)},
        "born": {"name": name[0], "match": "prefix", "birth_date": "2015-03-01"},
        "character": {"name": name[0], "match": "prefix"},
    }


def _queries(
    document: Mapping[str, Any], operation: Operation, each: Ask, target: Target
) -> Iterator[tuple[str, dict[str, str]]]:
    """Name the plain request, one for each filter, and one for a page deep inside."""
    yield operation.id, {}
    if operation.method != "GET":
        return
    told = document["paths"][operation.path]["get"].get("parameters", ())
    parameters = {one["name"]: one for one in told if one["in"] == "query"}
    for name, parameter in parameters.items():
        if name == "limit":
            continue
        if name == "cursor":
            if "{" not in operation.path and not each.query:
                yield f"{operation.id}?cursor", {"cursor": "deep"}
            continue
        for value in _values(name, parameter["schema"], document, target):
            yield f"{operation.id}?{name}={value if len(value) < 25 else '…'}", {name: value}


def _values(
    name: str, schema: Mapping[str, Any], document: Mapping[str, Any], target: Target
) -> list[str]:
    """Choose what to ask a filter for: the first and the last of its codes, or words that fit."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if name in _WORDS:
        chosen = list(_WORDS[name])
    elif "region" in name or name == "parent_code":
        chosen = [f"{target.region // 10**each * 10**each:012d}" for each in (3, 6)]
    elif name == "permitted":
        chosen = re.findall(r"[A-Za-z]{5,}", schema["pattern"])
    elif schema.get("format") == "uuid":
        ids = {**target.ids, "school_id": target.school, "agency_id": target.owner}
        ids |= {"sender": target.owner, "sent_by": target.owner, "held_by": target.police}
        chosen = [str(ids.get(name, target.ids["report_id"]))]
    else:
        chosen = schema.get("enum", _BY_TYPE.get(schema.get("format", schema["type"]), []))
    return [*dict.fromkeys((*chosen[:1], *chosen[-1:]))]


_BY_TYPE: Mapping[str, list[str]] = {
    "boolean": ["true"],
    "date": ["2026-10-01"],
    "date-time": ["2026-10-01T00:00:00Z"],
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "category": ("left_behind", "orphan"),
    "priority_flag": ("disabled", "no_guardian"),
    "undecided": ("disabled", "left_behind.counted"),
    "rule": ("VIS-01", "REP-07"),
    "class_name": ("三年级一班",),
    "period": ("2026Q4",),
    "q": ("乐亭",),
    "role": ("village_director", "police"),
    "area": ("D",),
    "name": ("lbc.age_limit",),
    "updated_since": ("2026-10-01T00:00:00Z", "2026-11-20T00:00:00Z"),
}
"""What to ask filters for that take any word: something common, and something rare."""
