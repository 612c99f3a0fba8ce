"""How the tests themselves are run."""

import pytest


@pytest.mark.xdist_group("kept together")
def test_a_group_runs_in_one_place(request, worker_id) -> None:
    """pytest-xdist sends a group to one worker by the end of its ids, which not every pytest keeps:
    then a town or a stage is built anew for nearly every test.
    """
    assert worker_id == "master" or request.node.nodeid.endswith("@kept together")
