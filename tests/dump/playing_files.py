"""What is said of children, who is taken for whom, and what is sent of a child nobody knows."""

from typing import Any
from uuid import uuid4

from app.core.ids import new_id
from tests.confirmations.matrix import a_confirmation
from tests.dump.scene import ELSEWHERE, Scene, a_numbered_file
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong

_PARENT = {"role": "mother", "name": "样生母", "statuses": []}
_EVERYTHING: dict[str, Any] = {
    "adoption": {"adopted_on": "2018-05-01", "adopted_by": "two", "birth_parents": [_PARENT]},
    "external": {"numbers": [{"system": "clinic", "number": "样编号七"}]},
    "welfare": {"yearly_income": 18_765, "members": 5, "aids": ["样临时救助"]},
}
_LATER: dict[str, Any] = {
    "family": {"siblings": [{"name": "样小妹"}]},
    "welfare": {"yearly_income": 19_876, "aids": ["样医疗救助"]},
}
_ELSEWHERE_VILLAGE = ELSEWHERE + 101_201


async def play(scene: Scene) -> None:
    file = a_numbered_file(1, "样小四", **_EVERYTHING)
    file["identity"]["birth_date"] = "丙申年四月廿五"  # kept as it was sent: the number tells it
    child = (await scene.sends(scene.county, "children", file))["id"]
    path = f"children/{child}"
    later = a_numbered_file(1, "样小四", **{**_EVERYTHING, **_LATER})
    await scene.sends(scene.county, path, later, on=path, method="PATCH")
    for sought in ({"name": "样小四"}, {"pinyin": "yangxiaosi"}):
        await scene.sends(scene.county, "children/search", sought)
    said = a_confirmation(child, changed=["residence"], remark="合成记录:电话里说搬到镇上")
    await scene.sends(scene.director, "confirmations", said)
    await _two_files_of_one_number(scene)
    await _of_nobody_known(scene)


async def _two_files_of_one_number(scene: Scene) -> None:
    """What the second was sent with waits until two offices agree."""
    await some_regions(scene.database, _ELSEWHERE_VILLAGE)
    stranger = await scene.enter("village_director", _ELSEWHERE_VILLAGE)
    theirs = await scene.enter("civil_affairs", ELSEWHERE, machine=False)
    await scene.sends(stranger, "children", a_numbered_file(2, "样小五", _ELSEWHERE_VILLAGE))
    second = a_numbered_file(2, "样小五", id=str(new_id()))
    await scene.sends(scene.director, "children", second)
    for office, answer, words in (
        (scene.county, "same_child", "合成记录:随母迁回"),
        (theirs, "another_child", "合成记录:系两名儿童"),
    ):
        asked = await scene.reads(office, "unresolved?state=open&kind=referral")
        [item] = [each for each in asked if each["reason"] == "resident_id"]
        path = f"unresolved/{item['id']}"
        body = {"answer": answer, "words": words}
        await scene.sends(office, f"{path}/answer", body, on=path)


async def _of_nobody_known(scene: Scene) -> None:
    """Visits to children nobody knows: put right, dropped by one, placed and taken back."""
    child = await scene.child(3, "样小六")
    for act, body in (
        ("correction", {"child_id": str(uuid4()), "words": "合成记录:手机里编号有误"}),
        ("dismissal", {"words": "合成记录:查无此人"}),
        ("attachment", {"child_id": str(child), "words": "合成记录:与儿童主任核实"}),
    ):
        visit = a_visit(uuid4(), note="合成记录:无人应门", findings=[something_wrong()])
        held = await scene.sends(scene.director, "visits", visit)
        path = f"unresolved/{held['unresolved_id']}"
        await scene.sends(scene.township, f"{path}/{act}", body, on=path)
    later = a_visit(visit["child_id"], visited_on="2026-11-19", note="合成记录:再次走访")
    await scene.sends(scene.director, "visits", later)
    made = f"visits/{later['id']}"
    changed = {"note": "合成记录:补充", "visited_on": "2026-11-17"}
    await scene.sends(scene.director, made, changed, on=made, method="PATCH")
    wrong = {"words": "合成记录:认错人"}
    await scene.sends(scene.township, f"{path}/withdrawal", wrong, on=path)
