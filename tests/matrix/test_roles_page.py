"""The page that tells people who may do what is the one the data makes."""

from scripts import write_roles


def test_the_committed_page_is_the_generated_one() -> None:
    assert write_roles.PLACE.read_text("utf-8") == write_roles.text(), "run: make openapi"
