"""What is done about a child: reported to the police, referred, visited by mistake, owed no more;
and what the systems of offices answer that are told of it.
"""

from typing import Any
from uuid import UUID

from app.core.data.db import Database
from app.core.settings import Settings
from tests.access.factories import an_agency
from tests.dump.scene import Scene
from tests.police_reports.factories import a_report, an_endpoint
from tests.police_reports.test_dispositions import VIOLENCE
from tests.releases import world
from tests.visits.factories import a_visit, something_wrong
from tests.waiting import until
from tests.webhooks import workshop

_REFUSED = "合成答复:接收系统称案件编号不存在"


async def play(scene: Scene) -> None:
    await an_endpoint(
        scene.database, scene.county.agency_id, world.COUNTY, relation="region", takes="referrals.*"
    )
    child = await scene.child(5, "样小八")
    await _referred(scene, f"children/{child}/referrals")
    await _visited_by_mistake(scene, a_visit(child, findings=[something_wrong()]))
    await _waived(scene)
    await _reported(scene, str(child))
    await _secret_changed(scene)
    await _told_by_telephone(scene)


async def _referred(scene: Scene, path: str) -> None:
    """One is answered, with something found that must be reported; another is taken back."""
    hospital = await scene.enter("hospital", world.COUNTY, machine=False)
    for need, note in (("ill", "合成记录:高烧三日"), ("distress", "合成记录:夜里哭闹")):
        asked = {"to_kind": "hospital", "needs": [need], "note": note}
        made = await scene.sends(scene.director, path, asked)
        one = f"referrals/{made['id']}"
        if need == "ill":
            said = {"answer": "done", "words": "合成记录:已住院", "found": ["domestic_violence"]}
            await scene.sends(hospital, f"{one}/answer", said, on=one)
        else:
            why = {"reason": "合成记录:家人已送医"}
            await scene.sends(scene.director, f"{one}/cancellation", why, on=one)


async def _visited_by_mistake(scene: Scene, visit: dict[str, Any]) -> None:
    await scene.sends(scene.director, "visits", visit)
    path = f"visits/{visit['id']}"
    proposed = {"findings": [], "words": "合成记录:点错一栏"}
    await scene.sends(scene.director, f"{path}/withdrawal", proposed, on=path)


async def _waived(scene: Scene) -> None:
    duty = (await scene.reads(scene.township, "duties?permitted=proposeWaiver"))[0]
    path = f"duties/{duty['id']}"
    why = {"reason": "合成记录:全家年前已随父母外出"}
    await scene.sends(scene.township, f"{path}/waiver", why, on=path)


async def _reported(scene: Scene, child: str) -> None:
    """Not all is done that the law asks for; and who reported is read by one officer alone."""
    school = await scene.enter("school", world.TOWNSHIP)
    report = a_report(situations=["domestic_violence", "living_alone"])
    made = await scene.sends(school, "police-reports", report)
    path = f"police-reports/{made['id']}"
    read = await scene.client.get(f"/v1/{path}", headers=scene.county.headers)
    station = {"agency_id": UUID(read.json()["police_agency_id"]), "machine": False}
    police = await scene.enter("police", world.TOWNSHIP, **station)
    undone = {**VIOLENCE, "measures": VIOLENCE["measures"][:1], "omitted": VIOLENCE["omitted"][:1]}
    await scene.sends(police, f"{path}/dispositions", undone)
    why = {"reason": "合成记录:孩子可能处于危险,须立即核实。"}
    await scene.sends(police, f"{path}/reporter/reading", why)
    colleague = await scene.colleague(police)
    [review] = await scene.reads(colleague, "reviews?state=owed")
    found = {"finding": "proper", "note": "合成记录:与出警记录一致,未见不当。"}
    await scene.sends(colleague, f"reviews/{review['id']}/finding", found)


async def _secret_changed(scene: Scene) -> None:
    system = await scene.enter("civil_affairs", world.COUNTY, machine=True)
    made, _ = await workshop.an_endpoint(scene.database, system.agency_id, "https://a.example/in")
    path = f"webhook-endpoints/{made}"
    await scene.sends(system, f"{path}/secret-rotations", {}, on=path)


async def _told_by_telephone(scene: Scene) -> None:
    police = await scene.enter("police", world.COUNTY, machine=False)
    await workshop.an_endpoint(scene.database, police.agency_id, "https://b.example/in")
    made = await workshop.queue(scene.database, police.agency_id)
    why = {"reason": "合成记录:已电话告知值班人员。"}
    await scene.sends(police, f"webhook-deliveries/{made}/closure", why)


async def answered_by_a_system(database: Database, settings: Settings) -> None:
    """Before anybody else is told of anything: whose system refuses says why."""
    office = await an_agency(database, "police", world.COUNTY)
    async with workshop.receiving() as receiver:
        receiver.replies.append(workshop.status(422, _REFUSED))
        await workshop.an_endpoint(database, office, receiver.url)
        made = await workshop.queue(database, office)
        url = settings.database.url.get_secret_value()
        async with workshop.sending(database, workshop.settings_for(receiver), url):
            await until(lambda: workshop.attempts_of(database, made))
