"""Pages on which a person sets up their account and looks after it. For browsers: in no document.

`/oauth/invitation` takes a one-time code: a first password, a new one, a second factor. On
`/oauth/account` they see where they are signed in and end that, and change password or
authenticator. Neither keeps anything between two pages but what it seals into the form.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import segno
from fastapi import Request, Response

from app.access import (
    accounts,
    devices,
    grants,
    proving,
    queries,
    roles,
    second_factor,
    sign_in,
    sign_in_pages,
)
from app.access.area import AREA
from app.access.proving import Arrived
from app.access.sign_in_pages import Flow
from app.core.clock import CHINA
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.cursors import Cursors
from app.core.http.paging import Window
from app.core.http.routing import Transaction

router = routing.router(AREA.tag)


async def _begin(
    request: Request, tx: Tx, page: Literal["invitation", "account"], template: str
) -> Response:
    language = sign_in_pages.chosen_language(request)
    issuer: str = request.state.settings.tokens.issuer
    cookie = sign_in_pages.browser_cookie(request, issuer) or secrets.token_urlsafe(24)
    expires_at = int(tx.now.timestamp()) + sign_in_pages.LIVES_SECONDS
    answer = sign_in_pages.render(
        template,
        language,
        begins=f"/oauth/{page}",
        action=f"/oauth/{page}",
        flow=Flow({}, language, expires_at, page).sealed(tx.keyring, cookie),
        app=None,
        username="",
    )
    sign_in_pages.set_cookie(answer, issuer, cookie)
    return answer


@router.get("/oauth/invitation", include_in_schema=False)
async def show_invitation(request: Request, tx: Transaction) -> Response:
    """Ask for a one-time code. It stands in no address: those are logged."""
    return await _begin(request, tx, "invitation", "invitation.html")


@router.post("/oauth/invitation", include_in_schema=False)
@routing.before(proving.arrive)
async def use_invitation(request: Request, tx: Transaction) -> Response:
    """Take the next step of what a code opens."""
    arrived = proving.taken(request, tx)
    if isinstance(arrived, Response):
        return arrived
    await tx.reach(grants.AT_THE_DOOR)
    if arrived.flow.staff_id is None:
        return await _by_code(arrived)
    return await _set_up(arrived, arrived.flow)


async def _set_up(arrived: Arrived, flow: Flow) -> Response:
    invited = await accounts.still_invited(arrived.tx, flow.person, flow.generation)
    if invited is None:
        return arrived.stopped("expired")
    if flow.secret:
        return await _enrol(arrived)
    if invited["opens"] == "second_factor":
        if await proving.by_password(arrived) is None:
            return arrived.render("password.html", error="wrong", username=flow.username)
        return _offer(arrived)
    return await _choose(arrived, invited)


async def _by_code(arrived: Arrived) -> Response:
    invited = await accounts.invited(arrived.tx, arrived.form.get("code", ""))
    if invited is None:
        await arrived.record("useInvitation", rule="invitation")
        return arrived.render("invitation.html", error="code_wrong")
    arrived.flow = replace(
        arrived.flow,
        staff_id=invited["staff_id"],
        username=invited["username"],
        generation=invited["generation"],
    )
    if invited["opens"] == "second_factor":
        return arrived.render("password.html", username=invited["username"])
    return _ask_password(arrived, asks_code=invited["has_factor"])


def _ask_password(arrived: Arrived, *, error: str | None = None, **asks: bool) -> Response:
    wanted = {"asks_old": False, "asks_code": False, **asks}
    username = arrived.flow.username
    return arrived.render("new_password.html", error=error, username=username, **wanted)


async def _choose(arrived: Arrived, invited: Any) -> Response:
    """Set a first password, or a new one: that takes the second factor, if there is one."""
    tx, staff_id, has_factor = arrived.tx, invited["staff_id"], invited["has_factor"]
    if error := _unusable(arrived):
        return _ask_password(arrived, error=error, asks_code=has_factor)
    if has_factor and not await proving.by_factor(arrived, staff_id):
        return _ask_password(arrived, error="factor_wrong", asks_code=True)
    generation = await accounts.choose_password(tx, staff_id, arrived.new_hash or "")
    await arrived.record("choosePassword", staff_id)
    if invited["opens"] == "account":
        arrived.flow = replace(arrived.flow, generation=generation)
        return _offer(arrived, may_skip=await _may_skip(arrived))
    await accounts.use_invitation(tx, staff_id)
    return _done(arrived, "password_done")


def _unusable(arrived: Arrived) -> str | None:
    if arrived.form.get("new_password") != arrived.form.get("again"):
        return "password_differs"
    return "password_weak" if arrived.new_hash is None else None


def _offer(arrived: Arrived, *, error: str | None = None, may_skip: bool = False) -> Response:
    """Show an authenticator what to take on: as a picture, a link and in letters."""
    secret = arrived.flow.secret or second_factor.new_secret()
    arrived.flow = replace(arrived.flow, secret=secret)
    texts = sign_in_pages.texts()[arrived.flow.language]
    address = second_factor.address(secret, arrived.flow.username, texts["service"])
    picture = segno.make(address, error="m").svg_inline(scale=4, border=2)
    return arrived.render(
        "enrol.html",
        error=error,
        address=address,
        picture=picture,
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        may_skip=may_skip,
    )


async def _may_skip(arrived: Arrived) -> bool:
    """Tell whether no post of theirs asks for a second factor at each sign-in."""
    posts = await sign_in.posts_of(arrived.tx, arrived.flow.person)
    return not (
        arrived.asks_second_factor
        and any(roles.role(post.role).second_factor == "always" for post in posts)
    )


async def _enrol(arrived: Arrived) -> Response:
    tx, flow = arrived.tx, arrived.flow
    first = flow.page == "invitation" and "pwd" not in flow.factors
    may_skip = first and await _may_skip(arrived)
    if may_skip and arrived.form.get("skip"):
        await accounts.use_invitation(tx, flow.person)
        return _done(arrived, "password_done")
    code = second_factor.written(arrived.form.get("code", ""))
    step = second_factor.step_of(flow.secret, code, tx.now, after=None)
    if step is None:
        return _offer(arrived, error="factor_wrong", may_skip=may_skip)
    codes = await accounts.enrol(tx, flow.person, flow.secret, step)
    await arrived.record("enrolSecondFactor", flow.person)
    if flow.page == "invitation":
        await accounts.use_invitation(tx, flow.person)
    return _done(arrived, "enrolled", codes)


def _done(arrived: Arrived, what: str, codes: list[str] | None = None) -> Response:
    texts = sign_in_pages.texts()[arrived.flow.language]
    return sign_in_pages.render(
        "done.html",
        arrived.flow.language,
        heading=texts[f"{what}_title"],
        said=texts[what],
        codes=codes or [],
    )


@router.get("/oauth/account", include_in_schema=False)
async def show_account(request: Request, tx: Transaction) -> Response:
    """Ask who wants to look after their account."""
    return await _begin(request, tx, "account", "sign_in.html")


@router.post("/oauth/account", include_in_schema=False)
@routing.before(proving.arrive)
async def look_after_account(request: Request, tx: Transaction) -> Response:
    """Take a person in, and do what they ask for."""
    arrived = proving.taken(request, tx)
    if isinstance(arrived, Response):
        return arrived
    if arrived.flow.staff_id is None:
        return await _sign_in(arrived)
    await tx.reach(grants.AT_THE_DOOR)
    account = await accounts.account(tx, arrived.flow.staff_id, arrived.flow.generation)
    if account is None:
        return arrived.stopped("expired")
    if account["has_factor"] and "otp" not in arrived.flow.factors:
        if not await proving.by_factor(arrived, arrived.flow.staff_id):
            return arrived.render("second_factor.html", error="factor_wrong")
        return await _home(arrived, account)
    return await _asked(arrived, account)


async def _sign_in(arrived: Arrived) -> Response:
    person = await proving.by_password(arrived)
    if person is None:
        username = arrived.form.get("username", "")[:64]
        return arrived.render("sign_in.html", error="wrong", app=None, username=username)
    await arrived.record("signIn", person.staff_id)
    if person.has_factor:
        return arrived.render("second_factor.html")
    account = await accounts.account(arrived.tx, person.staff_id, person.generation)
    return await _home(arrived, account)


async def _asked(arrived: Arrived, account: Any) -> Response:
    form, flow = arrived.form, arrived.flow
    if "end" in form:
        return await _end(arrived, account)
    if "new_password" in form:
        return await _change_password(arrived)
    if form.get("go") == "password":
        return _ask_password(arrived, asks_old=True)
    if form.get("go") == "factor" and account["has_factor"]:
        return _offer(arrived)
    if flow.secret:
        return await _enrol(arrived)
    return await _home(arrived, account)


async def _change_password(arrived: Arrived) -> Response:
    """Ask for the old password once more: a page left open changes none."""
    if error := _unusable(arrived):
        return _ask_password(arrived, error=error, asks_old=True)
    factors = arrived.flow.factors
    if await proving.by_password(arrived) is None:
        arrived.flow = replace(arrived.flow, factors=factors)
        return _ask_password(arrived, error="password_old_wrong", asks_old=True)
    await accounts.choose_password(arrived.tx, arrived.flow.person, arrived.new_hash or "")
    await arrived.record("choosePassword", arrived.flow.person)
    return _done(arrived, "password_done")


async def _end(arrived: Arrived, account: Any) -> Response:
    chosen, staff_id = arrived.form["end"], arrived.flow.person
    if chosen == "all":
        await accounts.end_sign_ins(arrived.tx, staff_id)
        await devices.revoke(arrived.tx, staff_id)
    for each in await _open(arrived):
        if chosen == str(each["id"]):
            await grants.end_sign_in(arrived.tx, each["id"])
    for each in await devices.counting(arrived.tx, staff_id):
        if chosen == str(each["id"]):
            await devices.revoke(arrived.tx, staff_id, each["id"])
    await arrived.record("endSignIn", staff_id)
    return await _home(arrived, account, said="ended")


async def _open(arrived: Arrived) -> Sequence[Any]:
    """List a person's sign-ins; who has more than a hundred ends all."""
    window = Window(Cursors(arrived.tx.keyring, lambda: "account"), 100)
    return (await queries.open_sign_ins(arrived.tx, arrived.flow.person, window)).rows


async def _home(arrived: Arrived, account: Any, *, said: str | None = None) -> Response:
    texts = sign_in_pages.texts()[arrived.flow.language]
    return arrived.render(
        "account.html",
        username=account["username"],
        has_factor=account["has_factor"],
        said=None if said is None else texts[said],
        sign_ins=[
            {
                "id": each["id"],
                "app": each["app"],
                "at": _written(each["started_at"]),
                "two": len(each["factors"]) > 1,
            }
            for each in await _open(arrived)
        ],
        phones=[
            {"id": each["id"], "name": each["name"], "at": _written(each["seen_at"])}
            for each in await devices.counting(arrived.tx, arrived.flow.person)
        ],
    )


def _written(instant: datetime) -> str:
    return f"{instant.astimezone(CHINA):%Y-%m-%d %H:%M}"
