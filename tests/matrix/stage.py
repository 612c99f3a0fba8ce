"""A caller of each role, and one of everything around them: theirs, a neighbour's, a stranger's."""

from dataclasses import dataclass
from uuid import UUID

from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller
from tests.children.factories import a_child
from tests.matrix import rows
from tests.matrix.expectation import PURPOSES, ROLES
from tests.matrix.facts import Holder, Target, Who
from tests.regions.factories import some_regions

COUNTY = 120119000000
TOWNSHIP = 120119101000
VILLAGE = 120119101200
SIBLING = 120119101201
OTHER_TOWNSHIP = 120119102201
OTHER_COUNTY = 120118101201

_REGION_OF = {"village": VILLAGE, "township": TOWNSHIP, "county": COUNTY}
_EVERY_SCOPE = frozenset(scope for role in ROLES.values() for scope in role["scopes"])


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a target lies and whether the caller's agency has the part of its kind in it. `scene`:
    where what is reported happened, if elsewhere; `before`: where the child lived then, if so.
    """

    label: str
    region: int
    own: bool
    scene: int | None = None
    before: int | None = None
    suspect: bool = False
    accused_before: bool = False
    unclear_whom: bool = False
    passed_on: bool = False


PLANS = (
    Plan("in the remit", VILLAGE, own=True),
    Plan("sibling village", SIBLING, own=False),
    Plan("other agency of the same region", VILLAGE, own=False),
    Plan("sibling village, of the caller's agency", SIBLING, own=True),
    Plan("other township", OTHER_TOWNSHIP, own=False),
    Plan("other township, a pupil of the caller's school", OTHER_TOWNSHIP, own=True),
    Plan("other county, a boarder at the caller's school", OTHER_COUNTY, own=True),
    Plan("other county", OTHER_COUNTY, own=False),
    Plan("harm elsewhere to a child of the remit", VILLAGE, own=False, scene=OTHER_COUNTY),
    Plan("harm in the remit to a child from elsewhere", OTHER_COUNTY, own=False, scene=VILLAGE),
    Plan("moved away since", OTHER_COUNTY, own=False, scene=OTHER_COUNTY, before=VILLAGE),
    Plan("against the caller's agency", VILLAGE, own=False, suspect=True),
    Plan("corrects one against the caller's agency", VILLAGE, own=False, accused_before=True),
    Plan("against somebody unclear", VILLAGE, own=False, unclear_whom=True),
    Plan("passed on by the caller's agency", VILLAGE, own=False, passed_on=True),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A caller and the targets they ask for."""

    who: Who
    caller: Caller
    targets: tuple[Target, ...]

    @property
    def asker(self) -> tuple[str, Holder]:
        """The caller's role and how they hold it."""
        return self.who.role, self.who.holder

    @property
    def purpose(self) -> str:
        """The first purpose the role has; one of the closed list if it has none."""
        return (ROLES[self.who.role]["purposes"] or PURPOSES)[0]

    def headers(self, purpose: str | None = None) -> dict[str, str]:
        """The caller's token, and why they ask."""
        return {
            "authorization": f"Bearer {self.caller.token}",
            "purpose-of-use": purpose or self.purpose,
        }


async def a_stage(
    database: Database,
    settings: Settings,
    role: str,
    holder: Holder,
    *,
    scopes: frozenset[str] = _EVERY_SCOPE,
) -> Stage:
    """Make a caller with `role` and every target. Their token claims `scopes`, by default all there
    are: what it may really do, the role says.
    """
    await some_regions(database, VILLAGE, SIBLING, OTHER_TOWNSHIP, OTHER_COUNTY)
    data = ROLES[role]
    level = "township" if "township" in data["levels"] else data["levels"][0]
    region, kind = _REGION_OF[level], min(data["agency_kinds"])
    caller = await a_caller(
        database, settings, role, region, machine=holder == "machine", scopes=scopes
    )
    who = Who(role, holder, kind, caller.agency_id, region)
    return Stage(who, caller, tuple([await _a_target(database, who, plan) for plan in PLANS]))


async def _a_target(database: Database, who: Who, plan: Plan) -> Target:
    async with database.begin(SYSTEM) as tx:
        owner = who.agency if plan.own else rows.an_agency(tx, who.kind, plan.region)

        def part(kind: str) -> UUID:
            return owner if kind == who.kind else rows.an_agency(tx, kind, plan.region)

        school, police = part("school"), part("police")
        reporter = part("village_committee") if who.kind == "police" else owner
        await tx.flush()
    child = await a_child(
        database,
        plan.region,
        school_id=school,
        education={"school_id": str(school)},
        residence={"region_code": f"{plan.region:012d}"},
    )
    if plan.suspect and who.kind != "police":
        reporter = who.agency  # somebody reports their own agency, and loses sight of it
    ids = {kind: new_id() for kind in rows.KINDS}
    target = Target(
        label=plan.label,
        region=plan.region,
        scene=plan.scene or plan.region,
        before=plan.before,
        owner=owner,
        owner_region=who.region if plan.own else plan.region,
        school=school,
        police=police,
        passed_on_by=who.agency if plan.passed_on else None,
        reporter=reporter,
        suspect=who.agency if plan.suspect else None,
        accused_before=who.agency if plan.accused_before else None,
        unclear_whom=plan.unclear_whom,
        addressed=(owner,) if who.kind in {"education", "township_government"} else (),
        overseer=owner if who.kind == "education" else None,
        told_to=(school, police)
        if plan.suspect
        else (who.agency,)
        if plan.accused_before
        else None,
        ids={
            **ids,
            "child_id": child.id,
            "agency_id": owner,
            "post_id in a list": ids["post_id"],
        },
    )
    async with database.begin(SYSTEM) as tx:
        await rows.store(tx, target, child)
    return target
