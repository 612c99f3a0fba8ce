"""The yearly report as a document (MNP-37)."""

from datetime import datetime, timedelta

import pytest

from app.breaches import printing, yearly
from app.core.clock import CHINA
from app.core.data import db
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.conftest import NOW, VILLAGE
from tests.police_reports.factories import the_offices
from tests.rights.factories import a_filed_child, asked
from tests.sealing.stage import a_log, looks

COUNTY = 120119000000


async def _document(database, year: int) -> str:
    async with database.begin(db.SYSTEM) as tx:
        return printing.year_document(await yearly.figures(tx, year), tx.now)


async def test_it_has_each_figure_in_both_languages(client, database, settings) -> None:
    offices = await the_offices(database, settings)
    child_id = await a_filed_child(client, offices.village)
    await asked(client, offices.village, child_id, kind="explanation")
    body = {"kind": "leaked", "what": "合成记录", "measures": "合成记录"}
    await client.post("/v1/breaches", json=body, headers=offices.county.headers)
    said = await _document(database, 2026)
    for line in (
        "2026 年度未成年人个人信息保护合规审计报告",
        "不满十四周岁",
        "under 18, with those under 14",
        "授权(任职)",
        "Files opened in an emergency",
        "对外提供的副本与文书",
        "解释说明:办理中",
        "to explain: open",
        "泄露:办理中",
        "本年度没有签名检查点",
    ):
        assert line in said, line
    assert "src=" not in said, "it needs nothing beside it"


async def test_it_says_who_reports_what_to_whom_by_when(database) -> None:
    said = await _document(database, 2026)
    for line in (
        "个人信息处理者",
        "报送",
        "网信部门",
        "最迟 2027-01-31",
        "2026-01-01 至 2026-12-31",
        "委托专业机构",
        "审计结论",
        "发现的问题与整改",
    ):
        assert line in said, line
    assert "年度尚未结束" in said
    assert said.count("<td>无 ") == 3, "no request, no breach, no witness: each is said"
    assert "年度尚未结束" not in await _document(database, 2025)


async def test_files_opened_after_the_year_are_none_of_it(database) -> None:
    child = await a_child(database, VILLAGE)
    async with database.begin(db.SYSTEM) as tx:
        now = (await yearly.figures(tx, NOW.year))["files"]
        before = (await yearly.figures(tx, NOW.year - 1))["files"]
        await tx.connection.execute(
            "UPDATE children SET created_at = $2 WHERE id = $1",
            child.id,
            datetime(NOW.year - 1, 12, 31, 23, 59, tzinfo=CHINA),
        )
        then = (await yearly.figures(tx, NOW.year - 1))["files"]
    assert (now["all"], before, then["all"]) == (1, dict.fromkeys(before, 0), 1)


@pytest.mark.xdist_group("sealing")
async def test_it_names_what_was_signed_and_who_held_it(
    live_database, settings, database_urls
) -> None:
    caller = await a_caller(live_database, settings, "police", COUNTY)
    await a_child(live_database, VILLAGE)
    async with a_log(database_urls.sealer) as log:
        for _ in range(3):
            await looks(live_database, 2)
            await log.seal()
        await looks(live_database, 1)
        async with live_database.begin(db.SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO audit_witnesses (id, agency_id, name, key, registered_by,"
                " registered_at) VALUES ($1, $2, 'w', 'k', 'system', $3)",
                caller.agency_id,
                caller.agency_id,
                NOW,
            )
            await tx.connection.execute(
                "INSERT INTO audit_cosignatures (witness_id, size, line, said_at, received_at)"
                " VALUES ($1, 2, '-', $2, $2)",
                caller.agency_id,
                NOW + timedelta(minutes=1),
            )
            figures = await yearly.figures(tx, 2026)
            said = printing.year_document(figures, tx.now)
        first, last = figures["sealed"]["checkpoints"]
        assert (first["size"], last["size"]) == (2, 6)
        counted = figures["sealed"]["entries"], figures["sealed"]["sealed"]
        assert counted == (7, 6), "one is recorded and not sealed"
        assert [each["cosigned"] for each in figures["sealed"]["witnesses"]] == [1]
        assert first["root"] in said.replace("&#43;", "+")
        assert "last of the year" in said
        async with live_database.begin(db.SYSTEM) as tx:
            before = await yearly.figures(tx, 2025)
        none = {"entries": 0, "sealed": 0, "checkpoints": [], "witnesses": []}
        assert before["sealed"] == none
