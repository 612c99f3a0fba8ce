"""The pages on which a person signs in (TOK-6). For browsers: in no API document."""

import secrets
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from app.access import pushed, sign_in, sign_in_pages
from app.access.area import AREA
from app.access.forms import origin_of, read_form
from app.access.oauth import Origin, Refused
from app.access.sign_in_pages import Flow
from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.rate_limits import RateLimited
from app.core.http.routing import Transaction
from app.core.http.shown import Seen

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
        "sign_in.html", language, asked=asked, app=wanted.client.name, flow=flow, username=""
    )
    sign_in_pages.set_cookie(page, issuer, cookie)
    return page


async def _compare_password(request: Request) -> None:
    """Leave in the scope what came of the password of a form that is ours; nothing of others."""
    settings, database = request.state.settings, request.state.database
    cookie = sign_in_pages.browser_cookie(request, settings.tokens.issuer)
    instant = int(database.clock().timestamp())
    try:
        form = await read_form(request)
    except Refused:
        return
    sealed = form.get("flow", "")
    flow = sign_in_pages.read_flow(database.keyring, cookie, sealed, instant=instant)
    if flow is None or flow.staff_id is not None:
        return
    kept = sign_in_pages.kept_by_browser(request, settings.tokens.issuer)
    limits: sign_in.Limits = request.state.sign_in_limits
    try:
        request.scope["compared"] = await sign_in.compare(
            database, limits, form, address=origin_of(request).ip or "", kept=kept
        )
    except RateLimited as limited:
        request.scope["limited"] = limited


@router.post("/oauth/authorize", include_in_schema=False)
@routing.before(_compare_password)
async def sign_in_to_app(request: Request, tx: Transaction) -> Response:
    """Check the password, then the post, and send the browser back to the app with a code."""
    issuer: str = request.state.settings.tokens.issuer
    instant = int(tx.now.timestamp())
    cookie = sign_in_pages.browser_cookie(request, issuer)
    try:
        form = await read_form(request)
        flow = sign_in_pages.read_flow(tx.keyring, cookie, form.get("flow", ""), instant=instant)
        if flow is None or cookie is None:
            return sign_in_pages.stopped(sign_in_pages.chosen_language(request), "expired")
        wanted = await sign_in.read_request(tx, flow.asked, issuer=issuer)
    except (Refused, sign_in.RequestUntrusted):
        return sign_in_pages.stopped(sign_in_pages.chosen_language(request), "untrusted")
    except sign_in.RequestRefused as refused:
        return RedirectResponse(refused.location, 303)
    attempt = _Attempt(tx, wanted, flow, cookie, issuer, origin_of(request))
    if "limited" in request.scope:
        return sign_in_pages.told_to_wait(flow.language, request.scope["limited"])
    if flow.staff_id is None:
        return await _by_password(attempt, form.get("username", ""), request.scope["compared"])
    return await _by_post(attempt, flow.staff_id, form.get("post", ""))


@router.get("/oauth/sign-in.css", include_in_schema=False)
async def read_sign_in_style() -> Response:
    """Serve the pages' style from here: their networks may have nothing else."""
    return Response(
        sign_in_pages.stylesheet(),
        media_type="text/css",
        headers={"cache-control": "public, max-age=3600"},
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One form that came back, with everything it was checked against."""

    tx: Tx
    wanted: sign_in.AuthorizationRequest
    flow: Flow
    cookie: str
    issuer: str
    origin: Origin


async def _by_password(attempt: _Attempt, username: str, compared: sign_in.Compared) -> Response:
    staff_id = await sign_in.check_password(attempt.tx, username, compared)
    if staff_id is None:
        await _record_refusal(attempt, "password")
        return _form(attempt, attempt.flow, "sign_in.html", error="wrong", username=username[:64])
    answer = await _by_post(attempt, staff_id)
    kept = sign_in.remembered(attempt.tx.keyring, username, attempt.tx.now)
    sign_in_pages.set_kept(answer, attempt.issuer, kept)
    return answer


async def _by_post(attempt: _Attempt, staff_id: UUID, chosen: str | None = None) -> Response:
    """Go back to the app with the post chosen or, before there was a choice, with the only one."""
    posts = await sign_in.posts_of(attempt.tx, staff_id)
    if not posts:
        await _record_refusal(attempt, "no_post", staff_id)
        return sign_in_pages.stopped(attempt.flow.language, "no_post")
    for post in posts:
        if str(post.id) == chosen or (chosen is None and len(posts) == 1):
            try:
                code = await sign_in.grant_code(attempt.tx, attempt.wanted, post, attempt.origin)
            except sign_in.RequestUntrusted:
                return sign_in_pages.stopped(attempt.flow.language, "expired")
            return RedirectResponse(attempt.wanted.location(attempt.issuer, code=code), 303)
    flow = replace(attempt.flow, staff_id=staff_id)
    error = None if chosen is None else "choose_missing"
    return _form(attempt, flow, "choose_post.html", error=error, posts=posts)


def _form(
    attempt: _Attempt, flow: Flow, page: str, *, error: str | None, **values: Any
) -> Response:
    return sign_in_pages.render(
        page,
        flow.language,
        status=400 if error else 200,
        asked=flow.asked,
        error=error,
        app=attempt.wanted.client.name,
        flow=flow.sealed(attempt.tx.keyring, attempt.cookie),
        **values,
    )


async def _record_refusal(attempt: _Attempt, rule: str, staff_id: UUID | None = None) -> None:
    actor = attempt.origin.actor(attempt.wanted.client, staff_id=staff_id)
    await audit.record(attempt.tx, actor, "signIn", Seen(decision="denied", rule=rule))
