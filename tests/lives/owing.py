"""What must be true of what is owed for families, whatever befell them: asked after each deed."""

from collections.abc import Callable
from typing import Any, Final

from app.core.clock import local_date
from app.duties.periods import quarter_of
from tests.access.factories import Caller
from tests.lives.families import Families
from tests.lives.world import rows

BY_QUARTER: Final = ("VIS-01", "REG-03.confirm", "REG-03.paper", "REG-03.ask")
_ALL: Final = "SELECT * FROM duties ORDER BY id"
_WITHOUT: Final = """
SELECT c.id, r.rule FROM children c,
    (VALUES ('VIS-01'), ('REG-03.confirm'), ('REG-03.paper'), ('REG-03.ask')) r(rule)
WHERE CASE WHEN r.rule = 'REG-03.ask' THEN c.undecided <> '{}' ELSE c.categories <> '{}' END
  AND NOT EXISTS (SELECT FROM duties d WHERE d.rule = r.rule AND d.subject_id = c.id
                  AND d.period = $1 AND d.state <> 'lapsed')
"""


async def every_child_and_duty_has_somebody(world: Families) -> list[str]:
    """Who holds the post where the child lives now sees the child, and each duty that can still be
    done; a child in a category is one somebody must visit this quarter.
    """
    quarter = quarter_of(world.today)
    wrong = [f"nobody owes: {row}" for row in await rows(world, _WITHOUT, quarter.code)]
    seen: set[tuple[str, str]] = set()

    async def look(who: Caller, query: str) -> None:
        answer = await world.read(who, f"duties?limit=200{query}")
        seen.update((who.claims["role"], each["id"]) for each in answer.json()["items"])

    for child, home in world.homes.items():
        director = world.directors[home]
        if (await world.read(director, f"children/{child}")).status_code != 200:
            wrong.append(f"its director does not see {child}")
        await look(director, f"&child_id={child}")
    for office in (*world.townships.values(), *world.counties.values()):
        # What is on paper, whom a visit was paid to, whether two are one child, what a file lacks,
        # what was found.
        for rule in ("REG-03.paper", "REG-11", "REG-12", "REG-12.complete", "VIS-08"):
            await look(office, f"&rule={rule}")
    for duty in await rows(world, "SELECT * FROM duties WHERE state IN ('open', 'overdue')"):
        over = duty["period"] and local_date(duty["due_at"]) <= world.today
        if not over and (duty["bearer_role"], str(duty["id"])) not in seen:
            wrong.append(f"who owes it does not see it: {duty}")
    return wrong


async def no_two_of_one_kind(world: Families) -> list[str]:
    """Never two of a rule for one subject and period."""
    doubled = "SELECT rule, period, subject_id FROM duties GROUP BY 1, 2, 3 HAVING count(*) > 1"
    return [f"twice: {row}" for row in await rows(world, doubled)]


async def nothing_is_done_by_what_does_not_count(world: Families) -> list[str]:
    """What is discharged, a deed discharged that truly was of that kind, child and time."""
    wrong = []
    for duty in await rows(world, "SELECT * FROM duties WHERE state = 'discharged'"):
        child, day = duty["child_id"], duty["discharged_on"]
        if duty["rule"] == "REG-03.ask":
            if (child, day) not in world.decided:
                wrong.append(f"nobody asked: {duty}")
            continue
        by = duty["discharged_by"]
        if duty["rule"] == "VIS-03":  # done by having looked, since then, at all that a visit found
            deeds = [each for each in world.deeds if by == duty["subject_id"]]
        else:
            deeds = [each for each in world.deeds if each.id == by]
        fits = [
            each
            for each in deeds
            if (each.child, each.day) == (child, day)
            and duty["rule"] in each.counts
            and _in_time(world, duty, each.day)
        ]
        if not fits:
            wrong.append(f"done by {deeds}: {duty}")
    return wrong


def _in_time(world: Families, duty: dict[str, Any], day: Any) -> bool:
    if duty["rule"] in BY_QUARTER:
        return bool(quarter_of(day).code == duty["period"])
    found = world.found[duty["subject_id"]]
    return bool(day > found if duty["rule"] == "VIS-03" else day >= found)


async def nothing_unmet_is_gone(world: Families) -> list[str]:
    """What was owed stays on the record, as owed, late, done or lapsed; what was late stays late;
    what is owed and not done when its time is over is late.
    """
    wrong = []
    now = {row["id"]: row for row in await rows(world, _ALL)}
    for id_, was in world.unmet.items():
        duty = now.get(id_)
        if duty is None or duty["state"] == "cancelled":
            wrong.append(f"gone: {was} {duty}")
        elif was["overdue_at"] and duty["overdue_at"] is None:
            wrong.append(f"was late, and is not any more: {duty}")
        elif was["overdue_at"] and duty["state"] == "lapsed":
            wrong.append(f"was late, and lapsed: {duty}")
        elif was["due_at"] != duty["due_at"]:
            wrong.append(f"has more time: {duty}")
    for visit in world.found:
        opened = {duty["rule"] for duty in now.values() if duty["subject_id"] == visit}
        if not opened >= {"VIS-03", "VIS-03.explain"}:
            wrong.append(f"found, and nobody follows it up: {visit} {opened}")
    wrong += [
        f"not late: {duty}"
        for duty in now.values()
        if duty["state"] == "open" and duty["due_at"] < world.nightly
    ]
    world.unmet |= {id_: row for id_, row in now.items() if row["state"] in ("open", "overdue")}
    return wrong


TRUTHS: tuple[Callable[[Families], Any], ...] = (
    every_child_and_duty_has_somebody,
    no_two_of_one_kind,
    nothing_is_done_by_what_does_not_count,
    nothing_unmet_is_gone,
)
