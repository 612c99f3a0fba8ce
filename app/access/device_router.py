"""Where a phone enrols its key, once, with a code."""

from collections.abc import Mapping

import orjson
from fastapi import Request, Response

from app.access import devices, grants
from app.access.area import AREA
from app.access.forms import origin_of, read_form
from app.access.oauth import Refused
from app.audit import operations as audit
from app.core.http import routing
from app.core.http.rate_limits import network_of
from app.core.http.routing import Transaction
from app.core.http.shown import Seen

router = routing.router(AREA.tag)
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


@router.post("/oauth/devices")
async def enrol_device(request: Request, tx: Transaction) -> Response:
    """Enrol a phone's key for the person whose code it has: `code`, `name`, `jwk` (public, P-256)
    and `device_assertion`, by which the key proves itself. Afterwards the key is a factor where
    tokens are asked for with a `device_assertion`.
    """
    origin = origin_of(request)
    request.state.sign_in_limits.address.spend(f"password {network_of(origin.ip or '')}", tx.now)
    await tx.reach(grants.AT_THE_DOOR)
    try:
        form = await read_form(request)
        issuer: str = request.state.settings.tokens.issuer
        device = await devices.enrol(tx, form, issuer=issuer)
    except Refused as refused:
        seen = Seen(decision="denied", rule=refused.reason)
        await audit.record(tx, origin.actor(None), "enrolDevice", seen)
        said = {"error": refused.error, "error_description": refused.description}
        return _json(said, 400)
    actor = origin.actor(None, staff_id=device.staff_id)
    await audit.record(tx, actor, "enrolDevice", Seen(subject=device.id))
    return _json(
        {
            "device_id": str(device.id),
            "thumbprint": device.thumbprint,
            "lease_until": int(device.lease_until.timestamp()),
        },
        201,
    )


def _json(body: Mapping[str, object], status: int) -> Response:
    return Response(orjson.dumps(body), status, _NO_STORE, "application/json")
