"""What grading a new password costs: nobody makes it dear for all who sign in meanwhile."""

import random
import time

import pytest

from app.access import passwords
from tests.access.apps import Browser

SIGNS = "4@8({[<369!1|70$5+%2z"
"""Each stands for letters: whoever grades tries all that they may mean together."""


def a_dear_one(number: int) -> str:
    chosen = random.Random(number)
    return "".join(chosen.choice(SIGNS) for _ in range(passwords.LONGEST))


@pytest.mark.parametrize("number", range(3))
def test_the_dearest_password_is_graded_in_a_moment(number) -> None:
    begun = time.thread_time()
    passwords._unfit(a_dear_one(number), "somebody")
    assert time.thread_time() - begun < 3, "seconds of the one thread that compares passwords"


@pytest.mark.parametrize(
    "strong",
    ["correct horse battery staple and more", "湖边 seven lanterns", "湖边七盏灯笼照着归路回家"],
)
def test_a_long_one_is_fit_by_how_it_begins(strong) -> None:
    assert not passwords._unfit(strong, "somebody")


def test_a_known_one_is_unfit_however_often_it_is_repeated() -> None:
    assert passwords._unfit("password" * 16, "somebody")


@pytest.mark.parametrize("page", ["/oauth/invitation", "/oauth/account"])
async def test_nothing_is_graded_for_whom_nobody_knows(client, monkeypatch, page) -> None:
    graded = []
    monkeypatch.setattr(passwords, "_unfit", lambda *said: bool(graded.append(said)))
    browser = await Browser(client).open(page, lang="en")
    await browser.send(code="x", new_password=a_dear_one(0), again="x")
    assert graded == []
