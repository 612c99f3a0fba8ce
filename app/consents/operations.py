"""Recording who was told, who consented and who withdrew."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import child_keys
from app.children.queries import ChildRef
from app.children.rules import age_on
from app.consents import grounds, schemas
from app.consents.acts import ACTS
from app.consents.events import ConsentGiven, ConsentWithdrawn
from app.consents.grounds import Basis
from app.consents.models import GIVER, WITHDRAWER, Form, Party
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.jobs import events
from app.core.problems import Problem

CONSENTS_ALONE: Final = 14
"""Under this age a guardian consents (个人信息保护法 31)."""


class NoticeInvalid(Problem, status=422):
    """What is not told, or does not exist, was not told."""

    title = "This cannot have been told so"
    title_zh = "告知内容有误"


class ConsentInvalid(Problem, status=422):
    """No such consent can be given or withdrawn."""

    title = "Nobody can give or withdraw this consent so"
    title_zh = "该同意或撤回不成立"


class ConsentStands(Problem, status=409):
    """There is a consent to this already."""

    title = "A consent to this stands already"
    title_zh = "已有有效的同意"


_TELL: Final = """
INSERT INTO notices (id, home_county, child_id, region_code, pupil_of, collection, text_version,
    told_to, form, told_on, agency_id, recorded_by, recorded_at)
SELECT u.id, c.home_county, c.id, c.region_code, c.school_id, u.collection, u.version, $6, $7, $8,
    $9, $10, $11
FROM UNNEST($3::uuid[], $4::text[], $5::int[]) AS u (id, collection, version)
JOIN (SELECT * FROM children WHERE id = $1 AND home_county = $2 FOR SHARE) AS c ON true
RETURNING *
"""


async def record_notice(
    tx: Tx, principal: Principal, child: ChildRef, new: schemas.NoticeCreate
) -> list[schemas.Notice]:
    """Keep that somebody was told of some collections, each in its text of now. Raises
    NoticeInvalid.
    """
    known = grounds.collections()
    for position, code in enumerate(new.collections):
        place = f"#/collections/{position}"
        if code not in known:
            raise NoticeInvalid.at(place, "collection_unknown", "There is no such collection.")
        if not known[code].version:
            raise NoticeInvalid.at(place, "not_told", "The law keeps this secret.")
    told_on = new.told_on or tx.today
    if told_on > tx.today:
        raise NoticeInvalid.at("#/told_on", "date_in_future", "The day has not come.")
    codes = sorted({*new.collections})
    rows = await tx.connection.fetch(
        _TELL,
        *(child.id, child.home_county, [new_id() for _ in codes], codes),
        [known[code].version for code in codes],
        *(new.told_to, new.form, told_on, principal.agency_id, principal.subject, tx.now),
    )
    return [schemas.Notice(**{n: row[n] for n in schemas.Notice.model_fields}) for row in rows]


_GIVE: Final = """
INSERT INTO consents (id, home_county, child_id, region_code, pupil_of, collection, text_version,
    given_by, giver_sealed, form, given_on, agency_id, recorded_by, recorded_at, version)
SELECT $3, c.home_county, c.id, c.region_code, c.school_id, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1
FROM children c WHERE c.id = $1 AND c.home_county = $2
ON CONFLICT DO NOTHING RETURNING *
"""
_HOLD: Final = "SELECT birth_date FROM children WHERE id = $1 AND home_county = $2 FOR SHARE"


async def record_consent(
    tx: Tx, principal: Principal, child: ChildRef, new: schemas.ConsentCreate
) -> asyncpg.Record:
    """Keep a consent to what takes one. Raises ConsentInvalid, ConsentStands."""
    said = grounds.collections().get(new.collection)
    if said is None or said.basis is not Basis.consent:
        detail = "This rests on law: no consent is asked for it, and none can be withdrawn."
        raise ConsentInvalid.at("#/collection", "rests_on_law", detail)
    if new.text_version > said.version:
        raise ConsentInvalid.at("#/text_version", "text_unknown", "There is no such text.")
    day = _day_of("#/given_on", new.given_on, tx.today)
    born = await tx.connection.fetchval(_HOLD, child.id, child.home_county)
    _check(new.given_by, new, born, day, "#/given_by")
    consent_id, of = new_id(), of_child(child.id)
    await keys.load(tx, [of], child.home_county)
    row = await tx.connection.fetchrow(
        _GIVE,
        *(child.id, child.home_county, consent_id, new.collection, new.text_version, new.given_by),
        tx.keyring.seal(GIVER, consent_id, _person(new), of),
        *(new.form, day, principal.agency_id, principal.subject, tx.now),
    )
    if row is None:
        raise ConsentStands
    await events.publish(tx, ConsentGiven(**_about(row)))
    return row


_WITHDRAW: Final = """
UPDATE consents SET withdrawn_by = $3, withdrawer_sealed = $4, withdrawn_form = $5,
    withdrawn_on = $6, withdrawal_recorded_by = $7, withdrawn_at = $8, version = version + 1
WHERE id = $1 AND home_county = $2 RETURNING *
"""


async def withdraw_consent(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.ConsentWithdrawal,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Withdraw a locked consent: at once, whoever of child and guardian says so. Raises
    PreconditionFailed, ConsentWithdrawnAlready, ConsentInvalid.
    """
    check_version(row["version"], if_match)
    ACTS["withdrawConsent"].require(principal, row, tx.today)
    day = _day_of("#/withdrawn_on", said.withdrawn_on, tx.today)
    _check(said.withdrawn_by, said, None, day, "#/withdrawn_by")
    of = await child_keys.of(tx, row)
    now = await tx.connection.fetchrow(
        _WITHDRAW,
        *(row["id"], row["home_county"], said.withdrawn_by),
        tx.keyring.seal(WITHDRAWER, row["id"], _person(said), of),
        *(said.form, day, principal.subject, tx.now),
    )
    await events.publish(tx, ConsentWithdrawn(**_about(now)))
    return now


def _day_of(place: str, day: date | None, today: date) -> date:
    if day is not None and day > today:
        raise ConsentInvalid.at(place, "date_in_future", "The day has not come.")
    return day or today


def _check(
    party: Party,
    said: schemas.ConsentCreate | schemas.ConsentWithdrawal,
    born: date | None,
    day: date,
    place: str,
) -> None:
    """`born`: of the child, where its age decides; a child of any age may withdraw."""
    if said.form is Form.posted:
        detail = "To be told is not to consent: silence is none."
        raise ConsentInvalid.at("#/form", "no_act_of_theirs", detail)
    if party is Party.guardian and said.relation is None:
        raise ConsentInvalid.at("#/relation", "missing", "Say what they are to the child.")
    if party is Party.child and born is not None and age_on(born, day) < CONSENTS_ALONE:
        raise ConsentInvalid.at(place, "guardian_needed", "Under fourteen a guardian consents.")


def _person(said: schemas.ConsentCreate | schemas.ConsentWithdrawal) -> bytes:
    return orjson.dumps({"name": said.name, "relation": said.relation})


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("region_code", "home_county", "child_id", "collection")
    return {"subject_id": row["id"], **{name: row[name] for name in names}}
