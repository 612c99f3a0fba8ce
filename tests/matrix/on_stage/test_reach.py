"""Every pair of a role and an operation in docs/roles.md can be exercised by somebody.

What `expected` says is done, `test_answers` has done: so it is asked here what there is to do.
"""

from scripts.write_roles import may
from tests.matrix.expectation import ROLES
from tests.matrix.reach import BY_TWO, ELSEWHERE, SHARED, unreached


def test_what_the_page_says_a_role_may_somebody_of_it_does(theatre, described, document) -> None:
    """And what it does not say, nobody. What a system of a role does not do, its people do."""
    who = theatre.stage.who
    missing = {*unreached(theatre.stage, described)}
    holds = {each.id for each in described.values() if each.scope in ROLES[who.role]["scopes"]}
    listed = {name for name, roles in may(document).items() if who.role in roles}
    assert listed <= holds
    assert not holds - missing - listed, "done, though the page denies it"
    if who.holder == "staff" or "staff" not in ROLES[who.role]["for"]:
        shown = [*ELSEWHERE.items(), *BY_TWO.items(), *SHARED.items()]
        elsewhere = {name for name, roles in shown if who.role in roles}
        assert missing & listed == elsewhere
