"""What is open at an office or a post: asked before one closes, and shown when one is handed over.

Each package says what of its own is open; this stands above all of them.
"""

from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.agencies import queries as agencies
from app.agencies import schemas
from app.agencies.queries import PostRef
from app.children import enrolments
from app.core.data.db import Tx
from app.core.problems import FieldError, Problem
from app.duties import queries as duties
from app.police_reports import queries as reports
from app.referrals import queries as referrals
from app.regions.rules import subtree
from app.unresolved import counting as unresolved

COUNTED_TO: Final = 1_000


class OpenBusiness(Problem, status=422):
    """Closed now, something would be left with nobody."""

    title = "Something is open there; it is done, or handed over, before the office closes"
    title_zh = "该机构尚有未办结事项,须先办结或移交后方可撤销"
    errors = (
        FieldError("#", "duties_open", "It owes something."),
        FieldError("#", "pupils_enrolled", "Children are enrolled there."),
        FieldError("#", "posts_held", "Somebody holds a post of it."),
        FieldError("#", "referrals_open", "It was asked to help a child and has not answered."),
        FieldError("#", "reports_in_hand", "Reports to the police are in its hands."),
    )


async def refuse_if_open(tx: Tx, agency_id: UUID, *, goes_on: bool = False) -> None:
    """Raise OpenBusiness if an agency leaves anything with nobody; it says what kind of thing and
    no more, since some of it is told to few. If another `goes_on` in its place, reports in its
    hands are routed anew, to whoever has jurisdiction, with what is owed for them.
    """
    async with tx.as_system():
        found = {
            "posts_held": await agencies.holds_posts(tx, agency_id),
            "duties_open": await duties.owes(tx, agency_id, passed_on=not goes_on),
            "referrals_open": await referrals.answers(tx, agency_id),
            "reports_in_hand": not goes_on and await reports.has_in_hand(tx, agency_id),
            "pupils_enrolled": await enrolments.has_pupils(tx, agency_id),
        }
    wrong = tuple(each for each in OpenBusiness.errors if found[each.code])
    if wrong:
        raise OpenBusiness(errors=wrong)


async def of_post(tx: Tx, principal: Principal, post: PostRef) -> schemas.OpenBusiness:
    """Count what is open at a post and its agency: what of it the caller may know."""
    owed = [
        *await duties.owed_by_post(tx, principal, post, most=COUNTED_TO),
        *await duties.owed_by_agency(tx, principal, post.agency_id, most=COUNTED_TO),
    ]
    asked = await referrals.unanswered(tx, principal, post.agency_id, most=COUNTED_TO)
    questions = await unresolved.unanswered(
        tx, principal, post.role, subtree(post.region_code), most=COUNTED_TO
    )
    items = [
        *(schemas.OpenBusinessItem(kind="duties", **row) for row in owed),
        schemas.OpenBusinessItem(kind="referrals", code=None, **asked),
        schemas.OpenBusinessItem(kind="unresolved", code=None, **questions),
    ]
    return schemas.OpenBusiness(
        by_kind=[each for each in items if each.open], counted_to=COUNTED_TO
    )
