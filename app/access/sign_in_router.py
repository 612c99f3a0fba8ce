"""The pages on which a person signs in (TOK-6). For browsers: in no API document."""

import secrets
from datetime import UTC, datetime

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from app.access import (
    accounts,
    devices,
    grants,
    proving,
    pushed,
    roles,
    sign_in,
    sign_in_pages,
)
from app.access.area import AREA
from app.access.proving import Arrived
from app.access.queries import Holding
from app.access.sign_in import AuthorizationRequest
from app.access.sign_in_pages import Flow
from app.core.http import routing
from app.core.http.routing import Transaction

router = routing.router(AREA.tag)


@router.get("/oauth/authorize", include_in_schema=False)
async def show_sign_in(request: Request, tx: Transaction) -> Response:
    """Show the sign-in form for an app's authorization request (RFC 6749 §4.1.1)."""
    language = sign_in_pages.chosen_language(request)
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] in sign_in.PARAMETERS]
    # A parameter given twice has no meaning: then nothing was asked for.
    asked = dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else {}
    issuer: str = request.state.settings.tokens.issuer
    try:
        asked = await pushed.opened(tx, asked)
        wanted = await sign_in.read_request(tx, asked, issuer=issuer)
    except sign_in.RequestUntrusted:
        return sign_in_pages.stopped(language, "untrusted")
    except sign_in.RequestRefused as refused:
        return RedirectResponse(refused.location, 303)
    cookie = sign_in_pages.browser_cookie(request, issuer) or secrets.token_urlsafe(24)
    expires_at = int(tx.now.timestamp()) + sign_in_pages.LIVES_SECONDS
    flow = Flow(asked, language, expires_at).sealed(tx.keyring, cookie)
    page = sign_in_pages.render(
        "sign_in.html",
        language,
        asked=asked,
        app=wanted.client.name,
        action="/oauth/authorize",
        flow=flow,
        username="",
    )
    sign_in_pages.set_cookie(page, issuer, cookie)
    return page


@router.post("/oauth/authorize", include_in_schema=False)
@routing.before(proving.arrive)
async def sign_in_to_app(request: Request, tx: Transaction) -> Response:
    """Check the password, the second factor, then the post, and send the browser back to the app
    with a code.
    """
    arrived = proving.taken(request, tx)
    if isinstance(arrived, Response):
        return arrived
    try:
        wanted = await sign_in.read_request(tx, arrived.flow.asked, issuer=arrived.issuer)
    except sign_in.RequestUntrusted:
        return arrived.stopped("untrusted")
    except sign_in.RequestRefused as refused:
        return RedirectResponse(refused.location, 303)
    arrived.client = wanted.client
    if arrived.flow.staff_id is None:
        return await _by_password(arrived, wanted)
    return await _go_on(arrived, wanted)


async def _go_on(arrived: Arrived, wanted: AuthorizationRequest) -> Response:
    await arrived.tx.reach(grants.AT_THE_DOOR)
    person = arrived.flow.person
    account = await accounts.account(arrived.tx, person, arrived.flow.generation)
    if account is None:
        return arrived.stopped("expired")
    if account["has_factor"] and "otp" not in arrived.flow.factors:
        if not await proving.by_factor(arrived, person):
            return arrived.render("second_factor.html", error="factor_wrong")
        return await _by_post(arrived, wanted)
    return await _by_post(arrived, wanted, arrived.form.get("post", ""))


@router.get("/oauth/sign-in.css", include_in_schema=False)
async def read_sign_in_style() -> Response:
    """Serve the pages' style from here: their networks may have nothing else."""
    return Response(
        sign_in_pages.stylesheet(),
        media_type="text/css",
        headers={"cache-control": "public, max-age=3600"},
    )


async def _by_password(arrived: Arrived, wanted: AuthorizationRequest) -> Response:
    person = await proving.by_password(arrived)
    if person is None:
        username = arrived.form.get("username", "")[:64]
        return arrived.render(
            "sign_in.html", error="wrong", app=wanted.client.name, username=username
        )
    if person.has_factor:
        return arrived.render("second_factor.html")
    return await _by_post(arrived, wanted)


async def _by_post(
    arrived: Arrived,
    wanted: AuthorizationRequest,
    chosen: str | None = None,
) -> Response:
    """Go back to the app with the post chosen or, before there was a choice, with the only one."""
    staff_id, flow = arrived.flow.person, arrived.flow
    posts = await sign_in.posts_of(arrived.tx, staff_id)
    if not posts:
        await arrived.record("signIn", staff_id, rule="no_post")
        return arrived.stopped("no_post")
    for post in posts:
        if str(post.id) == chosen or (chosen is None and len(posts) == 1):
            demanded = arrived.asks_second_factor and roles.role(post.role).second_factor
            asks = (wanted.two_factors or demanded == "always") and "otp" not in flow.factors
            if asks and not await devices.counting(arrived.tx, staff_id):
                await arrived.record("signIn", staff_id, rule="no_second_factor")
                return arrived.stopped(
                    "factor_missing", way_on=f"/oauth/invitation?lang={flow.language}"
                )
            return await _back_to_app(arrived, wanted, post, asks_device=asks)
    error = None if chosen is None else "choose_missing"
    return arrived.render("choose_post.html", error=error, app=wanted.client.name, posts=posts)


async def _back_to_app(
    arrived: Arrived, wanted: AuthorizationRequest, post: Holding, *, asks_device: bool
) -> Response:
    """Send the code to the app. `asks_device`: the second factor is the phone it runs on."""
    tx, flow = arrived.tx, arrived.flow
    proved = sign_in.Proved(flow.factors, datetime.fromtimestamp(flow.proved_at, UTC))
    try:
        code = await sign_in.grant_code(
            tx, wanted, post, arrived.origin, proved, asks_device=asks_device
        )
    except sign_in.RequestUntrusted:
        return arrived.stopped("expired")
    answer = RedirectResponse(wanted.location(arrived.issuer, code=code), 303)
    arrived.know(answer)
    return answer
