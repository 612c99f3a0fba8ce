"""The pages in a real browser: a person invited to a desk or a phone, from the code to signing out
elsewhere. `make conformance` fetches what drives it; Chromium is Debian's.
"""

import os
import random
import shutil
from typing import Any

import pytest

from app.access import accounts, operations
from app.agencies import operations as offices
from app.agencies import queries as agencies
from app.core.data.db import SYSTEM
from tests.access.apps import a_person
from tests.conformance.conftest import FETCHED, NODE, ran

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("TONGHU_PICTURES")
SEEN_AS = (
    ("phone", "zh", "light"),
    ("phone", "en", "dark"),
    ("desk", "zh", "dark"),
    ("desk", "en", "light"),
)
PAGES = (
    "invitation",
    "invitation refused",
    "new password",
    "new password refused",
    "authenticator",
    "done",
    "sign in",
    "sign in refused",
    "second factor",
    "posts",
    "account sign in",
    "account",
    "account ended",
    "change password",
    "stopped",
)


async def _invited(served, username: str) -> str:
    """Enter somebody with two posts; return the code they set their account up with."""
    person = await a_person(served.database, username)
    async with served.database.begin(SYSTEM) as tx:
        agency = await agencies.find(tx, person.agency_id)
        second = await offices.add_post(tx, agency, "administrator", "账户管理员", 120119101200)
        await offices.hold_post(tx, second, person.staff_id, tx.today)
        await tx.connection.execute(
            "UPDATE staff_accounts SET password_hash = '' WHERE staff_id = $1", person.staff_id
        )
        return (await accounts.invite(tx, person.staff_id, "account")).code


@pytest.fixture
async def told(served, unique) -> dict[str, Any]:
    callback = f"http://127.0.0.1:{random.randrange(16_000, 20_000)}/callback"
    people = [
        {
            "device": device,
            "language": language,
            "scheme": scheme,
            "username": f"{unique}{number}",
            "code": await _invited(served, f"{unique}{number}"),
        }
        for number, (device, language, scheme) in enumerate(SEEN_AS)
    ]
    async with served.database.begin(SYSTEM) as tx:
        app = await operations.create_app(tx, name="走访", redirect_uris=[callback])
    return {
        "issuer": served.issuer,
        "callback": callback,
        "app": str(app.id),
        "people": people,
        "chromium": CHROMIUM,
        "pictures": PICTURES,
    }


@pytest.mark.skipif(
    not FETCHED or not (CHROMIUM or "CI" in os.environ),
    reason="make conformance fetches what drives a browser; Chromium is Debian's",
)
async def test_each_page_is_well_on_a_phone_and_at_a_desk_in_both_languages(told) -> None:
    """Axe finds nothing, nothing is cut off, the page's own policy refuses nothing of it, and what
    was wrong has the focus.
    """
    said = await ran(told, NODE, "pages.mjs")
    for device, language, _ in SEEN_AS:
        assert said.pop(f"{device} {language} signed in") == 200
        for page in PAGES:
            assert said.pop(f"{device} {language} {page}") == "well", (device, language, page)
    assert said == {}
