"""Nothing is collected for which nobody gave a ground; slips are told with their line."""

import pytest

from app.access.roles import FIELD_GROUPS
from app.consents import grounds
from app.core.areas import scopes
from app.core.data_files import BadDataFile, parse

GOOD = """
rights: {zh: 您可以查阅, en: You may see it}
collections:
  file:
    title: {zh: 档案, en: The file}
    of: [identity, visits]
    basis: statutory_duty
    laws: [PIP-13]
    why: {zh: 关爱, en: Care}
    notices: [{zh: 建档, en: A file is kept}]
"""
_VISITS = {code: each for code, each in scopes().items() if code.startswith("visits:")}


def _check(text):
    grounds.check(parse("grounds.yaml", text), ["identity"], [*_VISITS.values()])


def test_what_is_shipped_gives_a_ground_for_every_section_and_chapter() -> None:
    grounds.check(grounds.file(), FIELD_GROUPS, [*scopes().values()])
    named = {name for each in grounds.collections().values() for name in each.of}
    assert {"identity", "health", "visits", "police_reports", "reporters", "audit"} <= named


@pytest.mark.parametrize(
    ("slip", "sentence"),
    [
        ("PIP-13 → PIP-31a", "no article of law is called PIP-31a"),
        (
            "[identity, visits] → [identity]",
            (
                "nothing says on what ground visits (visits:read, visits:write) is collected: name"
                " it under `of`"
            ),
        ),
        ("[identity, visits] → [visits]", "nothing says on what ground identity is collected"),
        ("[identity, visits] → [identity, visit]", "no section or chapter is called visit"),
        ("[identity, visits] → [identity, visits, visits]", "visits is collected as file already"),
        ("[{zh: 建档, en: A file is kept}] → []", "say `notices`, or `untold`"),
        ("basis: statutory_duty → basis: statute", "no value of basis is called statute"),
        ("why: → agency_kinds: [hotel]\n    why:", "`agency_kinds` goes with `basis: consent`"),
    ],
)
def test_slips(slip, sentence) -> None:
    _check(GOOD)
    before, after = slip.split(" → ")
    assert before in GOOD
    with pytest.raises(BadDataFile) as refused:
        _check(GOOD.replace(before, after))
    assert sentence in str(refused.value)
