"""Where a phone enrols its key, once, with a code."""

from collections.abc import Mapping

import orjson
from fastapi import Request, Response

from app.access import devices, grants, presenting
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
    """Enrol a phone for the person whose code it has: `code`, `name`, and a DPoP proof by the key
    (RFC 9449), which is a factor from now on wherever tokens are asked for with it.
    """
    origin = origin_of(request)
    request.state.sign_in_limits.address.spend(f"password {network_of(origin.ip or '')}", tx.now)
    await tx.reach(grants.AT_THE_DOOR)
    try:
        form = await read_form(request)
        proof = presenting.read_proof(request, tx)
        await presenting.spend(request, tx, proof)
        device = await devices.enrol(tx, form, None if proof is None else proof.thumbprint)
    except Refused as refused:
        if refused.error != "use_dpop_nonce":  # that denies nothing
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
