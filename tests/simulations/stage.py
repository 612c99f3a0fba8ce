"""Who acts when in a story, over HTTP, and what each act or its absence makes owed, row by row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import httpx

from app.access.roles import role
from app.core.clock import CHINA
from app.core.data.db import SYSTEM, Database
from app.core.jobs import queue
from app.core.settings import Settings
from app.duties.periods import quarter_of
from app.duties.rulebook import rules
from app.regions.rules import subtree
from tests.access.factories import Caller, a_caller, renewed
from tests.children.factories import a_file, with_check_digit
from tests.jobs import run_jobs

CITY = 120100000000
COUNTY = 120119000000
TOWNSHIP = 120119101000
VILLAGE = 120119101200
MET: Final = "已履行 done"
NOBODY: Final = "无人 nobody"
UNMET: Final = "逾期 overdue"
_BY_THE_CLOCK: Final = ("duties.mark_overdue", "police_reports.mark_overdue")
_EACH_NIGHT: Final = (*("duties.open_period", "children.rederive", "attendance.look_for_silence"),)
_NEXT_DUE: Final = "SELECT min(due_at) FROM duties WHERE state = 'open' AND due_at <= $1"
_LEDGER: Final = """
SELECT id, rule, child_id, subject_id, region_code, bearer_role, bearer_agency_id, due_at, state,
    overdue_at IS NOT NULL AS late, discharged_on
FROM duties WHERE rule = ANY ($1) ORDER BY due_at, id
"""
_COLUMNS: Final = (
    *("日 day", "谁 who", "做了什么 did", "职责 duty"),
    *("儿童 child", "责任人 owner", "期限 due", "结果 result"),
)
_RESULTS: Final = {
    "open": "应履行 owed",
    "overdue": UNMET,
    "lapsed": "未履行而情形终止,留痕 not done, kept on record as lapsed",
    "cancelled": "不再应履行 owed no more",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `about`: the children whose duty it is."""

    day: str
    who: str
    did: str
    rule: str
    about: str
    owner: str
    due: str
    result: str


@dataclass
class Stage:
    """The people of a story, its clock, and the table that comes of it. `chain`: rules shown."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    chain: tuple[str, ...]
    now: datetime
    cast: dict[str, Caller] = field(default_factory=dict)
    people: dict[UUID, str] = field(default_factory=dict)
    ledger: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database.clock = lambda: self.now

    @property
    def today(self) -> str:
        return f"{self.now:%Y-%m-%d}"

    @property
    def at(self) -> str:
        return self.now.isoformat()

    async def enter(self, name: str, role_code: str, region: int, **more: Any) -> Caller:
        """Let somebody hold a post under a name that the table calls them by."""
        made = await a_caller(self.database, self.settings, role_code, region, **more)
        self.cast[name] = made
        return made

    async def call(
        self, who: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        token = renewed(self.database, self.settings, self.cast[who])
        return await self.client.request(
            method, f"/v1/{path}", json=body, headers={**token.headers, **headers}
        )

    async def act(
        self, who: str, did: str, path: str, body: Any = None, *, method: str = "POST", on: str = ""
    ) -> Any:
        """Let somebody do something, on the version of what `on` names, and note what follows."""
        headers = {}
        if on:
            headers["if-match"] = (await self.call(who, "GET", on)).headers["etag"]
        answer = await self.call(who, method, path, body, **headers)
        assert answer.is_success, f"{self.at} {who} {did}: {answer.status_code} {answer.text}"
        await run_jobs(self.database)
        await self._note(who, did)
        return answer.json()

    async def until(self, day: str, time: str = "09:00") -> None:
        """Let time pass; the worker runs whenever something falls due or a quarter begins."""
        to = datetime.fromisoformat(f"{day}T{time}:00").replace(tzinfo=CHINA)
        while True:
            async with self.database.begin(SYSTEM) as tx:
                due = await tx.connection.fetchval(_NEXT_DUE, to)
            begins = quarter_of(self.now.date()).ends + timedelta(minutes=5)
            at = min(filter(None, [due, begins, to]))
            self.now = max(at.astimezone(CHINA), self.now)
            async with self.database.begin(SYSTEM) as tx:
                for name in _EACH_NIGHT if at in {begins, to} else _BY_THE_CLOCK:
                    await queue.enqueue(tx.connection, name, [{}])
            await run_jobs(self.database)
            await self._note("日历 calendar", "季度开始 a quarter begins" if at == begins else "—")
            if at == to:
                return

    async def file(self, who: str, name: str, number: int, **sections: Any) -> str:
        """Open the file of a left-behind child that lives in VILLAGE; returns its id."""
        born = sections.pop("born", "2016-03-01")
        place = sections.pop("place", VILLAGE)
        resident_id = with_check_digit(f"120000{born.replace('-', '')}{900 + 2 * number}")
        body = a_file(
            place, **{"education": {"stage": "primary", "status": "enrolled"}, **sections}
        )
        body["identity"] |= {"name": name, "birth_date": born, "resident_id": resident_id}
        answer = await self.call(who, "POST", "children", body)
        assert answer.is_success, answer.text
        if answer.status_code == 202:  # the number is on a file elsewhere
            await run_jobs(self.database)
            await self._note(
                who, f"开立{name}的档案,证号已在他处 opens a file of a number elsewhere"
            )
            return str(answer.json()["referral_id"])
        self.people[UUID(answer.json()["id"])] = name
        await run_jobs(self.database)
        await self._note(who, f"开立{name}的档案 opens the file", telling=False)
        return str(answer.json()["id"])

    async def _note(self, who: str, did: str, *, telling: bool = True) -> None:
        """Add what changed in the ledger, one row for all children of whom the same is said; of an
        act that is `telling`, also that nothing did.
        """
        async with self.database.begin(SYSTEM) as tx:
            found = [dict(row) for row in await tx.connection.fetch(_LEDGER, [*self.chain])]
        changes = [row for row in found if self.ledger.get(row["id"]) != row]
        told = [await self._said(row) for row in changes]
        self.ledger = {row["id"]: row for row in found}
        said = sorted(filter(None, told), key=lambda each: (each[0], each[2:], each[1]))
        if not said and who in self.cast and telling:
            said = [(0, "", "—", "", "", "—")]
        for key, group in groupby(said, lambda each: (each[0], *each[2:])):
            about = "、".join(dict.fromkeys(each[1] for each in group if each[1]))
            _, rule, owner, due, result = key
            by_clock = who not in self.cast and result.startswith(UNMET)
            acted = (owner, "未履行 has not done it") if by_clock else (who, did)
            self.rows.append(
                Row(f"{self.now:%Y-%m-%d %H:%M}", *acted, rule, about, owner, due, result)
            )

    async def _said(self, row: dict[str, Any]) -> tuple[int, str, str, str, str, str] | None:
        """Say of one duty: place of its rule in the chain, child, rule, owner, due day, result."""
        before = self.ledger.get(row["id"])
        owner = self._owner(row)
        result = _RESULTS.get(row["state"], "")
        if row["state"] == "discharged":
            late = " late" if row["late"] else ""
            result = f"{MET}{late} ({row['discharged_on']})"
        if row["state"] == "overdue" and (before is None or before["state"] != "overdue"):
            result += f" → 告知 told: {await self._told(row)}"
        elif before is not None and before["state"] == row["state"]:
            if (owner, row["due_at"]) == (self._owner(before), before["due_at"]):
                return None
            result = f"改由 now owed by {owner}"
        rule = rules()[row["rule"]]
        cited = f"{row['rule']} {rule.title.zh} [{', '.join(rule.carries)}]"
        about = self.people.get(row["child_id"] or row["subject_id"], "")
        return self.chain.index(row["rule"]), about, cited, owner, _day(row["due_at"]), result

    def _owner(self, row: dict[str, Any]) -> str:
        """Name who owes a duty: the agency, or whoever holds such a post for the place."""
        holders = (
            name
            for name, caller in self.cast.items()
            if caller.claims["role"] == row["bearer_role"]
            and (
                caller.agency_id == row["bearer_agency_id"]
                if row["bearer_agency_id"]
                else row["region_code"] in range(*subtree(caller.claims["region_code"]))
            )
        )
        return next(holders, f"{NOBODY} ({row['bearer_role']})")

    async def _told(self, row: dict[str, Any]) -> str:
        """Name those to be told at once of what is overdue who see it and do not owe it."""
        roles = rules()[row["rule"]].escalates[0].to
        alone = self._owner(row)
        those = [name for name, who in self.cast.items() if who.claims["role"] in roles]
        found = [name for name in those if name != alone and await self._sees(name, row)]
        if found:
            return "、".join(found)
        return f"只有{alone}自己 the bearer alone" if await self._sees(alone, row) else NOBODY

    async def _sees(self, name: str, row: dict[str, Any]) -> bool:
        """Tell whether somebody finds a duty among what is overdue."""
        query = f"duties?state=overdue&rule={row['rule']}&limit=100"
        seen = await self.call(name, "GET", query)
        return str(row["id"]) in {each["id"] for each in seen.json()["items"]}

    def table(self) -> Iterator[str]:
        """Write the rows in Markdown; what one act led to stands below it."""
        yield f"| {' | '.join(_COLUMNS)} |"
        yield "|---" * len(_COLUMNS) + "|"
        last: tuple[str, str, str] | None = None
        for row in self.rows:
            act = (row.day, row.who, row.did)
            first = ("", "", "") if act == last else act
            last = act
            cells = (*first, row.rule, row.about, row.owner, row.due, row.result)
            yield f"| {' | '.join(cells)} |"

    def outcomes(self) -> dict[str, set[str]]:
        """Return for each rule of the chain which of MET and UNMET the table shows in time."""
        found: dict[str, set[str]] = {code: set() for code in self.chain}
        for row in self.rows:
            code = row.rule.partition(" ")[0]
            for outcome in (f"{MET} (", UNMET):
                if code in found and row.result.startswith(outcome):
                    found[code].add(outcome.removesuffix(" ("))
        return found


def _day(due: datetime) -> str:
    """Write a deadline: its last day, or the minute if it is one within a day."""
    local = due.astimezone(CHINA)
    midnight = (local.hour, local.minute) == (0, 0)
    return f"{local - timedelta(days=1):%Y-%m-%d}" if midnight else f"{local:%Y-%m-%d %H:%M}"


def present(stage: Stage) -> Iterable[str]:
    """Name the cast with the Chinese and English title of each role."""
    for name, caller in stage.cast.items():
        title = role(caller.claims["role"]).name
        yield f"- {name}: {title.zh} · {title.en}, {caller.claims['region_code']}"
