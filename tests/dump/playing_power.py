"""What takes two people, what one did alone, what was leaked, and who they are."""

from app.agencies import operations as agencies
from app.core.data.db import SYSTEM
from tests.access.apps import a_person, an_authenticator
from tests.breaches.test_breaches import a_breach
from tests.break_glass.factories import REASON, WORDS, urgent
from tests.dump.scene import ELSEWHERE, Scene
from tests.rights.factories import answered_by_two, asked

_TELEPHONE = "13955507731"


async def play(scene: Scene) -> None:
    child = str(await scene.child(6, "样小九"))
    await _emergency(scene, child)
    why = {"kind": "erasure", "words": "合成记录:已迁居外省", "contact": "合成记录:由村委转交"}
    wanted = await asked(scene.client, scene.director, child, **why)
    said = {"outcome": "refused", "reason": "kept_by_law", "words": "合成答复:依法须保存"}
    by_two = (scene.client, scene.database, scene.settings, scene.county, wanted)
    answer = await answered_by_two(*by_two, **said)
    assert answer.is_success, answer.text
    await _leaked(scene)
    await _people(scene)


async def _emergency(scene: Scene, child: str) -> None:
    """A file is opened in an emergency, and another office looks at that."""
    doctor = await scene.enter("hospital", ELSEWHERE, machine=False)
    body = {"child_id": child, "reason": REASON, "minutes": 30}
    purpose = {"purpose-of-use": urgent(doctor)["purpose-of-use"]}
    glass = await scene.sends(doctor, "break-glass", body, **purpose)
    path = f"break-glass/{glass['id']}"
    await scene.sends(doctor, f"{path}/end", on=path, **purpose)
    await scene.sends(
        scene.county, f"{path}/review", {"verdict": "proper", "words": WORDS}, on=path
    )


async def _leaked(scene: Scene) -> None:
    made = await scene.sends(scene.county, "breaches", a_breach(children=3))
    path = f"breaches/{made['id']}"
    for whom in ("cyberspace_authority", "families"):
        await scene.sends(scene.county, f"{path}/told", {"whom": whom}, on=path)
    await scene.sends(scene.county, f"{path}/closure", {"words": "合成记录:已办结"}, on=path)


async def _people(scene: Scene) -> None:
    """Somebody with a second factor; and with a telephone, which no request says so far."""
    person = await a_person(scene.database, "with-a-factor")
    await an_authenticator(scene.database, person.staff_id)
    async with scene.database.begin(SYSTEM) as tx:
        await agencies.hire(tx, person.agency_id, "测试员", phone=_TELEPHONE)
