"""Libraries that others made, at their defaults, against the running app over HTTP; and what each
is told that goes about it wrongly. `make conformance` fetches them.
"""

import sys
from importlib.util import find_spec
from typing import Any

import pytest
from jose import jwk as jose_jwk

from app.access import operations
from app.agencies import queries as agencies
from app.core.data.db import SYSTEM
from tests.access.apps import PASSWORD, a_key, a_person
from tests.access.factories import an_agency
from tests.conformance.conftest import CALLBACK, NODE, by_node, ran
from tests.regions.factories import some_regions

COUNTY = 120119000000


def private_jwk(pem: str, public: dict[str, Any]) -> dict[str, Any]:
    return {**jose_jwk.construct(pem, "ES256").to_dict(), "kid": public["kid"]}


@pytest.fixture
async def story(served, unique) -> dict[str, Any]:
    """A machine, a person, an app on a phone and one on a server."""
    database = served.database
    await some_regions(database, COUNTY)
    person = await a_person(database, unique)
    agency_id = await an_agency(database, "civil_affairs", COUNTY)
    keys = [a_key(), a_key()]
    async with database.begin(SYSTEM) as tx:
        machine = await operations.create_machine(
            tx,
            await agencies.find(tx, agency_id),
            name="system",
            role="civil_affairs",
            region_code=COUNTY,
            jwks={"keys": [keys[0][1]]},
            secrets_allowed=True,
        )
        phone = await operations.create_app(tx, name="phone", redirect_uris=[CALLBACK])
        server = await operations.create_app(
            tx, name="server", redirect_uris=[CALLBACK], jwks={"keys": [keys[1][1]]}
        )
    return {
        "issuer": served.issuer,
        "audience": served.settings.tokens.audience,
        "callback": CALLBACK,
        "username": person.username,
        "password": PASSWORD,
        "machine": {"client_id": str(machine.client.id), "jwk": private_jwk(*keys[0])},
        "app": str(phone.id),
        "server": {"client_id": str(server.id), "jwk": private_jwk(*keys[1])},
    }


def holds(said: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every step came to what is expected; of what is told, the words that help."""
    for step, wanted in expected.items():
        found = said.pop(step)
        if isinstance(wanted, str):
            assert wanted in str(found), (step, found)
        else:
            assert found == wanted, (step, found)
    assert said == {}


INVALID_CODE = "invalid_grant: The code is not valid."
INVALID_REFRESH = "invalid_grant: The refresh token is not valid."
OTHER_ISSUER = "invalid_client: Client authentication failed. aud must be our issuer"


@by_node
async def test_oauth4webapi(story) -> None:
    said = await ran(story, NODE, "oauth4webapi.mjs")
    holds(
        said,
        {
            "discovery": story["issuer"],
            "client_credentials": "dpop",
            "resource": f"client:{story['machine']['client_id']}",
            "introspection": [True, "DPoP", "string"],
            "validated by a stranger": True,
            "revoked token": "invalid_token",
            "phone: code": ["dpop", 200],
            "phone: refresh": True,
            "phone: rotated": True,
            "server: code": ["dpop", 200],
            "server: refresh": True,
            "server: rotated": False,
            "stolen token, another key": "invalid_dpop_proof: The proof is by another key",
            "bound token sent as bearer": "invalid_token: The token is bound to a key",
            "assertion for the token endpoint": OTHER_ISSUER,
            "assertion by a clock ten minutes ahead": "s ahead of our clock: set yours",
            "assertion by another key": "See, in this order",
            "a scope the role lacks": "invalid_scope: The client's role does not grant",
            "another verifier": INVALID_CODE,
            "another redirect_uri": INVALID_CODE,
            "a stolen code, another key": "invalid_grant: The code is bound to another key",
            "a code used twice": INVALID_CODE,
            "a stolen refresh token": "invalid_grant: The refresh token is bound to another key",
            "a refresh token long spent": INVALID_REFRESH,
            "a request pushed by nobody": "invalid_request: Push it",
            "proof without nonce": "use_dpop_nonce: Sign the proof again, with the nonce",
            "proof for another address": "invalid_dpop_proof: htu must be the address",
            "proof for another method": "invalid_dpop_proof: htm must be the method",
            "proof with the private key": "invalid_dpop_proof: Send the public key only",
            "proof signed by another key": "invalid_dpop_proof: The signature is not by the key",
        },
    )


@by_node
async def test_openid_client(story) -> None:
    said = await ran(story, NODE, "openid-client.mjs")
    holds(
        said,
        {
            "discovery": story["issuer"],
            "client_credentials": "dpop",
            "resource": f"client:{story['machine']['client_id']}",
            "introspection": [True, "DPoP"],
            "revoked token": "invalid_token",
            "phone: code": ["dpop", 200],
            "phone: refresh": "dpop",
            "phone: refresh without a proof": "bound to another key",
            "phone: code used twice": INVALID_CODE,
            "server: code": ["dpop", 200],
            "server: refresh": "dpop",
            "server: refresh without a proof": "was let through",  # it proved itself; a sandbox
            "server: code used twice": INVALID_CODE,
        },
    )


@pytest.mark.skipif(find_spec("authlib") is None, reason="make fetches what this runs")
async def test_authlib(story) -> None:
    said = await ran(story, sys.executable, "authlib_client.py")
    holds(
        said,
        {
            "client_credentials": "Bearer",
            "resource": f"client:{story['machine']['client_id']}",
            "introspection": True,
            "revocation": 200,
            "revoked token": 401,
            "assertion of another issuer": "iss and sub must both be the client_id",
            "assertion for the token endpoint": OTHER_ISSUER,
            "code": "Bearer",
            "refresh": True,
            "code used twice": INVALID_CODE,
        },
    )
