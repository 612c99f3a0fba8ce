"""A form that came back from one of our pages: whose it is, and what the password or code in it
proves. Passwords are compared, and new ones hashed, before any transaction begins.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from fastapi import Request, Response

from app.access import accounts, guessing, passwords, queries, sign_in, sign_in_pages
from app.access.events import Alarm, AlarmRaised
from app.access.forms import origin_of, read_form
from app.access.models import Client
from app.access.oauth import Origin, Refused
from app.access.sign_in_pages import Flow
from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http.rate_limits import RateLimited, network_of
from app.core.http.shown import Seen
from app.core.jobs import events

log = structlog.get_logger()
_GUESSED_AT = 5


@dataclass(slots=True)
class Arrived:
    """A form that is ours and in time, what was found of it, and all it is answered with.

    `limited`: from its address too much was tried. `compared`: its `password`. `new_hash`: of its
    `new_password`; none if that is no good.
    """

    form: dict[str, str]
    flow: Flow
    cookie: str
    issuer: str
    origin: Origin
    limits: sign_in.Limits
    asks_second_factor: bool
    limited: RateLimited | None = None
    compared: sign_in.Compared | None = None
    new_hash: str | None = None
    client: Client | None = None
    within: Tx | None = None

    @property
    def tx(self) -> Tx:
        """The transaction that answers it."""
        if self.within is None:  # pragma: no cover  `taken` gives one
            raise RuntimeError("no transaction answers this form yet")
        return self.within

    def render(self, page: str, *, error: str | None = None, **values: Any) -> Response:
        """Show the next page, or the same once more with what was wrong."""
        begins = None if self.flow.page == "authorize" else f"/oauth/{self.flow.page}"
        return sign_in_pages.render(
            page,
            self.flow.language,
            status=400 if error else 200,
            asked=self.flow.asked or None,
            begins=begins,
            error=error,
            action=f"/oauth/{self.flow.page}",
            flow=self.flow.sealed(self.tx.keyring, self.cookie),
            **values,
        )

    def stopped(self, what: str, *, way_on: str | None = None) -> Response:
        return sign_in_pages.stopped(self.flow.language, what, way_on=way_on)

    def know(self, answer: Response) -> None:
        """Have the browser remember that this person signed in here, with all they were asked."""
        flow = self.flow
        kept = sign_in.remembered(self.tx.keyring, flow.username, flow.generation, self.tx.now)
        sign_in_pages.set_kept(answer, self.issuer, kept)

    async def record(
        self, operation: str, staff_id: UUID | None = None, *, rule: str | None = None
    ) -> None:
        """Write to the audit what a person did here, in the first of their posts; or, with a
        `rule`, was refused.
        """
        posts = [] if staff_id is None else await queries.holdings_today(self.tx, staff_id)
        post = posts[0] if posts else None
        actor = self.origin.actor(self.client, staff_id=staff_id, holding=post)
        seen = Seen(subject=staff_id, decision="denied" if rule else "allowed", rule=rule)
        await audit.record(self.tx, actor, operation, seen)


async def arrive(request: Request) -> None:
    """Read a form and leave in the scope what is found, but for the transaction, if it is one of
    ours; nothing of others.
    """
    settings, database = request.state.settings, request.state.database
    issuer: str = settings.tokens.issuer
    cookie = sign_in_pages.browser_cookie(request, issuer)
    try:
        form = await read_form(request)
    except Refused:
        return
    instant = int(database.clock().timestamp())
    flow = sign_in_pages.read_flow(database.keyring, cookie, form.get("flow", ""), instant=instant)
    if flow is None or cookie is None or flow.page != request.url.path.rpartition("/")[2]:
        request.scope["arrived"] = None
        return
    limits: sign_in.Limits = request.state.sign_in_limits
    asks = settings.asks_second_factor
    found = Arrived(form, flow, cookie, issuer, origin_of(request), limits, asks)
    request.scope["arrived"] = found
    address, username = found.origin.ip or "", flow.username or form.get("username", "")
    kept = sign_in_pages.kept_by_browser(request, issuer)
    try:
        if "password" in form:
            found.compared = await sign_in.compare(
                database, limits, username, form["password"], address=address, kept=kept
            )
        else:
            limits.address.spend(_who_goes_on(flow, network_of(address)), database.clock())
    except RateLimited as limited:
        found.limited = limited
        return
    new = form.get("new_password", "")
    if new and flow.staff_id is not None and not await passwords.unfit(new, username):
        found.new_hash = await passwords.hash_of(new)


def _who_goes_on(flow: Flow, network: str) -> str:
    """Say whose tries are counted together: of who gave a password or a code already, their own;
    else who guesses would use up those of a whole office.
    """
    if flow.staff_id is None:
        return f"password {network}"
    return f"{flow.staff_id} {flow.known} {network}"


def taken(request: Request, tx: Tx) -> Arrived | Response:
    """Return the form that `arrive` found, in the transaction that answers it; or the page that
    says why it cannot be answered.
    """
    language = sign_in_pages.chosen_language(request)
    if "arrived" not in request.scope:
        return sign_in_pages.stopped(language, "untrusted")
    found: Arrived | None = request.scope["arrived"]
    if found is None:
        return sign_in_pages.stopped(language, "expired")
    if found.limited is not None:
        return sign_in_pages.told_to_wait(found.flow.language, found.limited)
    found.within = tx
    return found


async def by_password(arrived: Arrived) -> sign_in.Person | None:
    """Return whose password it was, and let the flow go on as theirs. What was wrong is recorded,
    and raises an alarm where it is one of many.
    """
    tx, compared = arrived.tx, arrived.compared
    username = arrived.flow.username or arrived.form.get("username", "")
    person = None
    if compared is not None:
        person = await sign_in.check_password(tx, username, compared)
    if person is None:
        await arrived.record("signIn", rule="password")
        if compared is not None:
            for found in await guessing.sprayed(tx, arrived.limits, username, compared):
                staff_id = await sign_in.staff_called(tx, username)
                await _alarm(arrived, found, staff_id)
        return None
    arrived.flow = replace(
        arrived.flow,
        staff_id=person.staff_id,
        username=sign_in.normal_username(username),
        generation=person.generation,
        known=person.known,
        factors=("pwd",),
        proved_at=int(tx.now.timestamp()),
    )
    return person


async def by_factor(arrived: Arrived, staff_id: UUID) -> bool:
    """Tell whether the code was right, which counts once. Who guesses codes has the password: that
    is an alarm.
    """
    tx, flow, code = arrived.tx, arrived.flow, arrived.form.get("code", "")
    known = flow.known and _tries_left(arrived, staff_id)
    tried = await accounts.try_factor(tx, staff_id, code, known=known)
    if not tried.right:
        await arrived.record("signIn", staff_id, rule="second_factor")
        if tried.failures == _GUESSED_AT:
            guessed = guessing.Sprayed(Alarm.second_factor_guessed, tried.failures, due=True)
            await _alarm(arrived, guessed, staff_id)
        return False
    arrived.flow = replace(flow, factors=("pwd", "otp"))
    return True


async def _alarm(arrived: Arrived, found: guessing.Sprayed, staff_id: UUID | None) -> None:
    """Leave a trace of many guesses and, where they are at somebody's account, tell its agency and
    who supervises the place: of each kind once an hour.
    """
    tx, alarm = arrived.tx, found.alarm
    if found.due:
        log.warning("sign_in_alarm", reason=alarm)
        await arrived.record("signInAlarm", staff_id, rule=alarm)
    posts = [] if staff_id is None else await queries.holdings_today(tx, staff_id)
    for post in posts[:1]:
        if guessing.is_due(arrived.limits, f"{alarm} told {post.agency_id}", tx.now):
            told = AlarmRaised(
                subject_id=post.staff_id,
                region_code=post.region_code,
                home_county=post.region_code,
                alarm=alarm,
                counted=found.number,
                mark="alarm",
                known_to=(post.agency_id,),
            )
            await events.publish(tx, told)


def _tries_left(arrived: Arrived, staff_id: UUID) -> bool:
    try:
        arrived.limits.browser.spend(f"factor {staff_id}", arrived.tx.now)
    except RateLimited:
        return False
    return True
