"""The file of an assessment is that of one child: the one the report is about now (REP-16)."""

import pytest

from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, filed, the_offices
from tests.police_reports.test_chain import ASSESS, AT, SERVICES, URL, step


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def test_it_is_of_the_child_the_report_is_about_now_and_says_what_was_found_last(
    client, database, offices
) -> None:
    """REP-15: 对农村留守儿童的…进行调查评估,建立评估档案; REP-16: 有针对性地安排…专业服务."""
    first, second = [await a_child(database, VILLAGE, name=name) for name in ("样甲", "样乙")]
    report_id = await filed(client, offices.school)
    not_poor = {**ASSESS, "hardship": False}

    async def take(path: str, **body) -> None:
        answer = await step(client, offices.township, report_id, path, body)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)

    def of(child, provider: str) -> tuple:
        service = {"kind": "counselling", "provider": provider, "started": True}
        return (
            ("child", {"identified_at": AT, "child_id": str(child.id), "basis": "合成记录"}),
            ("assessment", {**not_poor, "safety": "at_risk", "summary": f"{provider}:初评"}),
            ("assessment", {**not_poor, "summary": f"{provider}:复评"}),
            ("services", {**SERVICES, "services": [service]}),
        )

    async def printed() -> list[tuple[str, str]]:
        url = f"{URL}/{report_id}/assessment/document"
        answer = await client.get(url, headers=offices.township.headers)
        assert answer.status_code == 200, answer.text
        return [(each["label"], each["text"]) for each in answer.json()["lines"]]

    for path, body in of(first, "甲站"):
        await take(path, **body)
    assert ("儿童姓名", "样甲") in await printed(), "of its file, not what the reporter said"
    await take("child/withdrawal", withdrawn_at=AT, basis="合成记录")
    for path, body in of(second, "乙站"):
        await take(path, **body)
    lines = await printed()
    assert not [text for _, text in lines if "甲" in text]
    said = {label: [text for each, text in lines if each == label] for label, _ in lines}
    assert (said["儿童姓名"], said["安全处境"]) == (["样乙"], ["安全"])
    assert said["评估意见"] == ["乙站:复评"]
    assert said["安排服务 2026-11-20"] == ["心理疏导:乙站;待答复"]
    blank = ["经办人", "评估单位(盖章)", "会同单位(盖章)", "日期"]
    assert lines[-4:] == [(each, "") for each in blank]
    answer = await client.get("/v1/referrals", headers=offices.township.headers)
    assert [each["child_id"] for each in answer.json()["items"] if each["state"] == "open"] == [
        str(second.id)
    ], "nothing arranged for the first is asked for the second"
