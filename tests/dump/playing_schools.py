"""What schools say of a pupil: in their own words, twice, of one who is elsewhere, of one gone."""

from typing import Any

from tests.attendance.factories import a_school, an_event, push
from tests.attendance.test_presence import present
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import Pupil, a_pupil
from tests.children.factories import with_check_digit
from tests.dropout_alerts.factories import Around, everyone
from tests.dump.scene import Scene
from tests.jobs import run_jobs

_CLASS = "样板三班"
_SIX = [f"2026-11-{day}" for day in (13, 16, 17, 18, 19, 20)]


async def play(scene: Scene) -> None:
    around = await everyone(scene.client, scene.database, scene.settings)
    born, body = "2016-05-04", "12000020160504902"
    who = {"name": "样小七", "birth_date": born, "resident_id": with_check_digit(body)}
    pupil = await a_pupil(
        scene.client,
        scene.database,
        scene.settings,
        around.school.id,
        identity=who,
        class_name=_CLASS,
        since="2026-09-01",
        student_numbers=[{"system": "student_status", "number": "样学籍号八"}],
    )
    await _in_their_own_words(scene, around, pupil)
    await _gone(around, pupil)
    await _seen_elsewhere(scene, around, pupil)


async def _in_their_own_words(scene: Scene, around: Around, pupil: Pupil) -> None:
    """Twice under one id: the first counts, what differs is kept beside it."""
    event = an_event(pupil.id, "2026-11-12", category="excused")
    roll = a_roll("2026-11-12", class_name=_CLASS, remark="合成记录:除样小七外都到")
    for said in ({"reason": "合成记录:发烧"}, {"reason": "合成记录:回老家"}):
        answer = await push(scene.client, around.school, {**event, **said}, roll)
        assert answer.is_success, answer.text
    await run_jobs(scene.database)


async def _gone(around: Around, pupil: Pupil) -> None:
    """Registered after six days, one of which the school takes back."""
    await around.absent(pupil.id, *_SIX)
    await around.absent(pupil.id, _SIX[2], category="excused", sequence=1)
    contact = {"spoken_on": "2026-11-20", "method": "phone", "note": "合成记录:家长称外出打工"}
    entry = {"cause": "working", "whereabouts": "working_away", "note": "合成记录:在外地工厂"}
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("parent-contacts", contact),
        ("register-entries", entry),
        ("doubt/decision", {"decision": "stands", "note": "合成记录:班主任家访核实"}),
    )
    for path, body in steps:
        answer = await around.step(around.teacher, await around.alert(pupil.id), path, body)
        assert answer.is_success, answer.text
        await run_jobs(around.database)


async def _seen_elsewhere(scene: Scene, around: Around, pupil: Pupil) -> None:
    """Two schools had it there one day: somebody looks."""
    new = await a_school(scene.database, scene.settings)
    await pupil.enrol(new.id, since="2026-11-18", class_name=_CLASS)
    for school in (around.school, new):
        await push(scene.client, school, present(pupil, "2026-11-11"))
        await run_jobs(scene.database)
    [doubt] = await scene.reads(around.teacher, "presence-doubts")
    found = {"finding": "elsewhere", "note": "合成记录:到宿舍查看"}
    await scene.sends(around.teacher, f"presence-doubts/{doubt['id']}/finding", found)
