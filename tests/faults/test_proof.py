"""The sealer stopped, the audit locked: what goes on, what is refused, who is told. All of it
between processes.
"""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
import yaml

from tests.faults import town as towns
from tests.faults.load import Load, a_report, assert_nothing_lost
from tests.faults.town import Town
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.xdist_group("faults")
RULES = Path(__file__).parents[2] / "deploy" / "alerts.yaml"
LOCK_SECONDS = 2
_UNSEALED = """
SELECT count(*) FROM audit_entries e
WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry_id = e.id)
"""
_AGED = """
UPDATE audit_entries e SET at = at - interval '10 minutes'
WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry_id = e.id)
"""
_WATCH = """
INSERT INTO jobs (name, payload) VALUES ('sealing.watch', '{}')
RETURNING pg_notify('tonghu_jobs', '')
"""


@dataclass
class Proved(Town):
    """A town's web process that waits for a lock as briefly as in production."""

    @property
    def environment(self) -> dict[str, str]:
        limits = {"LOCK_TIMEOUT_MS": LOCK_SECONDS * 1000, "STATEMENT_TIMEOUT_MS": 15_000}
        short = {f"TONGHU_DATABASE__{name}": str(value) for name, value in limits.items()}
        return super().environment | short

    async def figure(self, name: str) -> float:
        """One figure of /metrics; its labels are part of the name."""
        async with httpx.AsyncClient(base_url=self.base, timeout=PATIENCE) as http:
            text = (await http.get("/metrics")).text
        found = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    async def counted(self, sql: str) -> int:
        [row] = await self.query(sql)
        return int(row[0])


@pytest.fixture
async def proved(town: Town) -> AsyncIterator[Proved]:
    [port] = towns.free_ports(1)
    proved = Proved(town.data_dir, port, database=town.database, pupils=town.pupils)
    proved.start("web", "-m", "app.cli", "serve", "--port", str(port))
    proved.start("sealer", "-m", "app.cli", "sealer")
    await asyncio.to_thread(proved.wait_until_ready)
    yield proved
    await asyncio.to_thread(proved.stop)


def threshold(alert: str, figure: str) -> float:
    """What a rule of the alerts compares a figure with."""
    rules = [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]
    [said] = [rule["expr"] for rule in rules if rule.get("alert") == alert]
    found = re.fullmatch(rf"max\({re.escape(figure)}\) > (\d+)", said)
    assert found, said
    return float(found[1])


async def test_with_the_sealer_stopped_all_goes_on_and_somebody_is_told(
    proved: Proved, town: Town
) -> None:
    await until(lambda: _all_sealed(proved))
    load = await asyncio.to_thread(Load.of, proved)
    sealer = proved.processes["sealer"]
    sealer.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(sealer.wait, PATIENCE) == 0
    await load.run(12)
    assert [wish.status for wish in load.wishes if not 200 <= wish.status < 300] == []
    await assert_nothing_lost(load)
    assert await proved.counted(_UNSEALED) >= 8, "what is recorded waits"
    late = "tonghu_audit_unsealed_seconds"
    assert await proved.figure(late) < threshold("SealingLate", late)
    trouble = 'tonghu_audit_trouble{trouble="sealing_late"}'
    assert await proved.figure(trouble) == 0

    await proved.query(_AGED)
    assert await proved.figure(late) > threshold("SealingLate", late)
    assert await proved.figure(trouble) == 1
    told = town.log("worker")
    before = told.stat().st_size
    await proved.query(_WATCH)
    await until(lambda: _said(told, before, "audit.sealing_in_trouble", "sealing_late"))
    await load.run(3)
    assert all(wish.promised for wish in load.wishes), "told of it or not, all goes on"

    proved.start("sealer", "-m", "app.cli", "sealer")
    await until(lambda: _all_sealed(proved))
    assert (await proved.figure(late), await proved.figure(trouble)) == (0, 0)


async def _all_sealed(town: Proved) -> bool:
    return await town.counted(_UNSEALED) == 0


def _said(log: Path, since: int, *words: str) -> bool:
    with log.open() as lines:
        lines.seek(since)
        return any(all(word in line for word in words) for line in lines)


@asynccontextmanager
async def _locked(town: Proved) -> AsyncIterator[None]:
    """Another session holds the audit, and everybody who writes or reads it waits."""
    other = await asyncpg.connect(town.database)
    lock = other.transaction()
    await lock.start()
    await other.execute("LOCK TABLE audit_entries IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        await lock.rollback()
        await other.close()


async def test_with_the_audit_locked_reports_are_taken_in_and_nothing_is_shown(
    proved: Proved, town: Town
) -> None:
    load = await asyncio.to_thread(Load.of, proved)
    reports = [a_report(proved) for _ in range(6)]
    refused = 'tonghu_refused_total{cause="record_away"}'
    before = await proved.figure(refused)
    child = f"/v1/children/{proved.pupils[0]}"
    async with (
        httpx.AsyncClient(base_url=proved.base, timeout=PATIENCE) as http,
        asyncio.timeout(PATIENCE),
    ):

        def headers(kind: str, **more: str) -> dict[str, str]:
            caller = load.callers[kind]
            return {
                "authorization": f"Bearer {caller.token}",
                "purpose-of-use": caller.purpose,
            } | more

        def read(path: str) -> asyncio.Task[httpx.Response]:
            return asyncio.ensure_future(http.get(path, headers=headers("visit")))

        assert (await read(child)).status_code == 200
        async with _locked(proved):
            filing = [
                http.post(
                    one.path,
                    json=one.body,
                    headers=headers("report", **{"idempotency-key": one.id}),
                )
                for one in reports
            ]
            filed, shown = await asyncio.gather(
                asyncio.gather(*filing),
                asyncio.gather(*(read(path) for path in (child, "/v1/children", "/v1/visits"))),
            )
            assert [each.status_code for each in filed] == [202] * len(reports)
            spooled = await proved.query("SELECT id::text FROM spooled_reports")
            ids = {each.json()["report_id"] for each in filed}
            assert ids <= {row["id"] for row in spooled}, "2xx is committed"
            assert {each.status_code for each in shown} == {503}
            assert {each.json()["type"] for each in shown} == {"/problems/record-away"}
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/livez")).status_code == 200
            assert await proved.figure(refused) >= before + len(shown)

        async def is_well() -> bool:
            return (await read(child)).status_code == 200

        await until(is_well)
        assert (await http.get("/readyz")).status_code == 200

        async def are_filed() -> bool:
            said = "SELECT id::text FROM police_reports WHERE id = ANY ($1::uuid[])"
            return len(await proved.query(said, [*ids])) == len(reports)

        await until(are_filed)
        for each in filed:
            answer = await http.get(each.headers["location"], headers=headers("report"))
            assert answer.status_code == 200, answer.text
    await until(lambda: _all_sealed(proved))
