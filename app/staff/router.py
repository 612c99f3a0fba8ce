"""People who sign in: their life with an agency over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from app.access import accounts, devices
from app.access import operations as access
from app.access import queries as access_queries
from app.access.acts import (
    Act,
    Condition,
    Guard,
    PersonRequired,
    another_person,
    asked,
    permitted,
    permitted_by_two,
    stands,
)
from app.access.approvals.schemas import UNSAID, TakenAway, because
from app.access.deps import named_in_path, needs
from app.access.guards import ALWAYS, PEOPLE_OF_POWER, PHONE_OF_POWER, POWER_TAKEN
from app.access.models import Opens
from app.access.principal import Principal
from app.access.schemas import OpenSignIn, SignInsEnded
from app.agencies import queries as agencies
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import Problem, documented
from app.staff import operations, queries, schemas
from app.staff.area import AREA, READ, READ_DEVICES, WRITE, WRITE_DEVICES

router = routing.v1(AREA.tag)
ReadsDevices = Annotated[Principal, needs(READ_DEVICES)]
WritesDevices = Annotated[Principal, needs(WRITE_DEVICES)]
EnrolsDevices = Annotated[Principal, needs(WRITE_DEVICES, step_up=True, approval=PHONE_OF_POWER)]
ReadsStaff = Annotated[Principal, needs(READ)]
WritesStaff = Annotated[Principal, needs(WRITE)]
GivesAccess = Annotated[Principal, needs(WRITE, step_up=True, approval=PEOPLE_OF_POWER)]
Resets = Annotated[Principal, needs(WRITE, step_up=True, approval=ALWAYS)]
TakesAway = Annotated[Principal, needs(WRITE, review=POWER_TAKEN)]


class StaffNotFound(Problem, status=404, denies=True):
    """There is no such person, or not one whose account the caller looks after."""

    title = "No such person"
    title_zh = "没有这名人员"


class NotYourOwnAccount(Problem, status=403, denies=True):
    """Nobody resets, suspends or ends their own account here, and no system anybody's (AZ-11)."""

    title = "Another person does this with an account, by name"
    title_zh = "账号的此项操作须由本人以外的人员办理"


class AgencyNotYours(Problem, status=403, denies=True):
    """Who works for an agency is entered by those who look after it."""

    title = "You do not look after the people of this agency"
    title_zh = "该机构的人员不由您管理"


class StaffStateDiffers(Problem, status=409):
    """The account does not stand where this can be done with it."""

    title = "This cannot be done with the account as it stands"
    title_zh = "账号当前状态不允许此操作"


class AlreadySetUp(Problem, status=409):
    """Password and second factor are there: what is lost is reset, by its name."""

    title = "This person has a password and a second factor; reset the one that is lost"
    title_zh = "该人员已有密码和第二重验证;请重设丢失的一项"


class NothingToReset(Problem, status=409):
    """No second factor is set up."""

    title = "This person has no second factor to reset; invite them to set one up"
    title_zh = "该人员没有可重设的第二重验证;请改为邀请其设置"


class DeviceNotFound(Problem, status=404, denies=True):
    """The person has no such phone."""

    title = "No such phone"
    title_zh = "没有这部手机"


_BY_ANOTHER: Final = another_person("id", NotYourOwnAccount)


_STANDS: Final[Mapping[str, str]] = {
    "invited": "No password was chosen yet: `inviteStaff` gives another code for the first one.",
    "active": "It is in use, not suspended.",
    "suspended": "It is suspended: `resumeStaff`, by two people, comes first; or `endStaff`.",
    "ended": "This person was let go, for good: who comes back is entered anew by `createStaff`.",
    "without_account": "This person has no account: `createStaff` enters somebody with one.",
}
"""How an account stands that something else is asked of, and what may be done instead."""


def _stood(*states: str) -> Condition:
    return stands(
        lambda *_: states, lambda _, found, __: StaffStateDiffers(_STANDS[found["state"]]), "state"
    )


def _act(*states: str, more: Sequence[Condition] = (), guard: Guard | None = None) -> Act:
    return Act(WRITE.code, (_BY_ANOTHER, _stood(*states), *more), guard=guard)


def _lacks(*what: str, otherwise: type[Problem]) -> Condition:
    return stands(lambda *_: what, lambda *_: otherwise(), "lacks")


ACTS: Final[Mapping[str, Act]] = {
    "inviteStaff": _act(
        "invited",
        "active",
        more=[_lacks("account", "second_factor", otherwise=AlreadySetUp)],
        guard=PEOPLE_OF_POWER,
    ),
    "resetPassword": _act("active", guard=ALWAYS),
    "resetSecondFactor": _act(
        "active", more=[_lacks("nothing", otherwise=NothingToReset)], guard=ALWAYS
    ),
    "suspendStaff": _act("invited", "active"),
    "resumeStaff": _act("suspended", guard=ALWAYS),
    "endStaff": _act("invited", "active", "suspended", "without_account"),
    "listSignIns": Act(READ.code),
    "endSignIns": Act(WRITE.code),
    "inviteDevice": Act(
        WRITE_DEVICES.code, (_BY_ANOTHER, _stood("invited", "active")), guard=PHONE_OF_POWER
    ),
    "listDevices": Act(READ_DEVICES.code),
    "revokeDevice": Act(WRITE_DEVICES.code),
}
"""What may be done with a person's account, by operationId."""

StaffInPath = Annotated[
    Any, named_in_path("staff_id", "The person's id.", queries.member, StaffNotFound)
]
"""The person named in the path, if the caller looks after their account; else 404."""

DeviceInPath = Annotated[
    Any, named_in_path("device_id", "The phone's id.", queries.device, DeviceNotFound)
]
"""The phone named in the path, if the caller looks after its person; else 404."""


def _shown(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.StaffMember:
    invited = {"opens": row["opens"], "expires_at": row["expires_at"]} if row["opens"] else None
    return schemas.StaffMember(
        **row,
        open_invitation=invited,
        permitted=permitted(ACTS, principal, row, tx.today),
        permitted_by_two=permitted_by_two(ACTS, principal, row, tx.today),
    )


def _about(principal: Principal, member: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a person decides whether it takes two people, and who decides: of an agency
    alone its other administrators, of a line those above it, too.
    """
    named = {name: member[name] for name in ("id", "agency_id", "agency_kind")}
    in_line = principal.role.code != "administrator"
    return {**named, "agency_region": member["region_code"] if in_line else None}


async def _changed(
    tx: Tx, principal: Principal, member: Mapping[str, Any], why: TakenAway = UNSAID
) -> Shown[schemas.StaffMember]:
    row = await queries.member(tx, principal, member["id"])
    return Shown(_shown(tx, principal, row), about=because(_about(principal, row), why))


@router.get("/staff")
async def list_staff(
    principal: ReadsStaff,
    tx: ReadTransaction,
    window: Paged,
    agency_id: Annotated[UUID | None, Query(description="Only of this agency.")] = None,
    act: Annotated[Act | None, asked(ACTS)] = None,
) -> Shown[Page[schemas.StaffMember]]:
    """List the people whose accounts you look after: your agency's; as civil affairs, those of your
    line in your remit; as the operator, all.
    """
    page = await queries.staff(tx, principal, window, agency_id=agency_id, act=act)
    return Shown(page.shown(lambda row: _shown(tx, principal, row)))


@router.get("/staff/{staff_id}")
async def read_staff(
    principal: ReadsStaff, member: StaffInPath, tx: Transaction
) -> Shown[schemas.StaffMember]:
    """Read one person and how they sign in."""
    return Shown(_shown(tx, principal, member))


@router.post(
    "/staff",
    status_code=201,
    responses=documented(PersonRequired, AgencyNotYours, access.UsernameTaken),
)
async def create_staff(
    principal: GivesAccess, new: schemas.StaffCreate, tx: Transaction
) -> Shown[schemas.StaffInvited]:
    """Enter a person and invite them to choose a password by themselves. What they may do follows
    from the posts they are given.
    """
    if principal.staff_id is None:
        raise PersonRequired
    agency = await agencies.find(tx, new.agency_id or principal.agency_id)
    if agency is None or not agency.active or not queries.looks_after(principal, agency):
        raise AgencyNotYours
    staff_id, issued = await operations.enter(tx, agency.id, name=new.name, username=new.username)
    row = await queries.member(tx, principal, staff_id)
    made = _shown(tx, principal, row).model_dump()
    invited = schemas.StaffInvited(**made, invitation=_invitation(issued, "account"))
    return Shown(invited, subject=staff_id, about=_about(principal, row))


def _invitation(issued: accounts.Issued, opens: Opens) -> schemas.Invitation:
    return schemas.Invitation(code=issued.code, expires_at=issued.expires_at, opens=opens)


async def _invited(
    tx: Tx, principal: Principal, member: Mapping[str, Any], opens: Opens
) -> Shown[schemas.Invitation]:
    issued = await operations.invite(tx, member["id"], opens)
    return Shown(_invitation(issued, opens), about=_about(principal, member))


@router.post(
    "/staff/{staff_id}/invitation",
    responses=documented(NotYourOwnAccount, StaffStateDiffers, AlreadySetUp),
)
async def invite_staff(
    principal: GivesAccess, member: StaffInPath, tx: Transaction
) -> Shown[schemas.Invitation]:
    """Invite a person to set up what they have not: a first password, or a second factor. A new
    code takes the place of the one before.
    """
    ACTS["inviteStaff"].require(principal, member, tx.today)
    return await _invited(tx, principal, member, member["lacks"])


@router.post(
    "/staff/{staff_id}/password-reset",
    responses=documented(NotYourOwnAccount, StaffStateDiffers),
)
async def reset_password(
    principal: Resets, member: StaffInPath, tx: Transaction
) -> Shown[schemas.Invitation]:
    """Let a person choose a new password, for which they need their second factor if they have one.
    The old one works until then.
    """
    ACTS["resetPassword"].require(principal, member, tx.today)
    return await _invited(tx, principal, member, "password")


@router.post(
    "/staff/{staff_id}/second-factor-reset",
    responses=documented(NotYourOwnAccount, StaffStateDiffers, NothingToReset),
)
async def reset_second_factor(
    principal: Resets, member: StaffInPath, tx: Transaction
) -> Shown[schemas.Invitation]:
    """Let a person set up another authenticator, for which they need their password. The old one
    counts until then.
    """
    ACTS["resetSecondFactor"].require(principal, member, tx.today)
    return await _invited(tx, principal, member, "second_factor")


@router.post(
    "/staff/{staff_id}/suspension", responses=documented(NotYourOwnAccount, StaffStateDiffers)
)
async def suspend_staff(
    principal: TakesAway, member: StaffInPath, tx: Transaction, why: TakenAway = UNSAID
) -> Shown[schemas.StaffMember]:
    """Suspend a person's account: nothing of it works from this instant. Another person reviews
    it.
    """
    ACTS["suspendStaff"].require(principal, member, tx.today)
    await operations.set_active(tx, member["id"], active=False)
    return await _changed(tx, principal, member, why)


@router.delete(
    "/staff/{staff_id}/suspension", responses=documented(NotYourOwnAccount, StaffStateDiffers)
)
async def resume_staff(
    principal: Resets, member: StaffInPath, tx: Transaction
) -> Shown[schemas.StaffMember]:
    """Let a suspended person sign in again: two people do, whoever suspended them. What was open
    before stays ended.
    """
    ACTS["resumeStaff"].require(principal, member, tx.today)
    await operations.set_active(tx, member["id"], active=True)
    return await _changed(tx, principal, member)


@router.post("/staff/{staff_id}/end", responses=documented(NotYourOwnAccount, StaffStateDiffers))
async def end_staff(
    principal: TakesAway, member: StaffInPath, tx: Transaction, why: TakenAway = UNSAID
) -> Shown[schemas.StaffMember]:
    """Let a person go, for good: their posts end today, and nothing of their account works. Another
    person reviews it.
    """
    ACTS["endStaff"].require(principal, member, tx.today)
    await operations.end(tx, member["id"])
    return await _changed(tx, principal, member, why)


@router.get("/staff/{staff_id}/sign-ins")
async def list_sign_ins(
    _: ReadsStaff, member: StaffInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[OpenSignIn]]:
    """List where a person is signed in, latest first."""
    page = await access_queries.open_sign_ins(tx, member["id"], window)
    return Shown(page.shown(lambda row: OpenSignIn(**row)))


@router.post("/staff/{staff_id}/sign-ins/end")
async def end_sign_ins(_: WritesStaff, member: StaffInPath, tx: Transaction) -> Shown[SignInsEnded]:
    """End all a person has open, on every device: their phone is lost."""
    return Shown(SignInsEnded(ended=await operations.end_sign_ins(tx, member["id"])))


@router.post(
    "/staff/{staff_id}/device-code", responses=documented(NotYourOwnAccount, StaffStateDiffers)
)
async def invite_device(
    principal: EnrolsDevices, member: StaffInPath, tx: Transaction
) -> Shown[schemas.DeviceCode]:
    """Give a person a code to enrol their phone; it takes the place of the one before."""
    ACTS["inviteDevice"].require(principal, member, tx.today)
    issued = await devices.give_code(tx, member["id"])
    given = schemas.DeviceCode(code=issued.code, expires_at=issued.expires_at)
    return Shown(given, about=_about(principal, member))


@router.get("/staff/{staff_id}/devices")
async def list_devices(
    _: ReadsDevices, member: StaffInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[schemas.Device]]:
    """List a person's phones, newest first."""
    page = await queries.devices(tx, member["id"], window)
    return Shown(page.shown(lambda row: schemas.Device(**row)))


@router.post("/staff/{staff_id}/devices/{device_id}/revocation")
async def revoke_device(
    principal: WritesDevices, member: StaffInPath, device: DeviceInPath, tx: Transaction
) -> Shown[schemas.Device]:
    """Revoke a person's phone, with whatever is open on it: it is lost. Its store opens no longer
    than the lease it has.
    """
    if device["staff_id"] != member["id"]:
        raise DeviceNotFound
    await devices.revoke(tx, member["id"], device["id"])
    return Shown(schemas.Device(**(await queries.device(tx, principal, device["id"]))))
