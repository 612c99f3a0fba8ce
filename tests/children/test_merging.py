"""A change is a merge patch (RFC 7396), against the algorithm as the RFC writes it."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.children.merging import differing, merged, named
from app.children.schemas import ChildChange
from app.children.sections import SECTIONS, File

DAYS = st.sampled_from(["2020-01-01", "2026-10-31"])
NAMES = st.sampled_from(["样一", "样二"])
FLAGS = st.booleans()


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


PARENTS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["father", "mother"])},
        optional={
            "name": or_null(NAMES),
            "statuses": st.lists(
                st.fixed_dictionaries(
                    {"status": st.just("away")}, optional={"since": or_null(DAYS)}
                ),
                max_size=2,
            ),
        },
    ),
    max_size=2,
)
NUMBERS = st.lists(
    st.fixed_dictionaries({"system": st.just("s"), "number": st.sampled_from(["1", "2"])}),
    max_size=2,
)
GUARDIAN = some(name=or_null(NAMES), relation=or_null(NAMES))

FILES = some(
    identity=or_null(
        some(name=or_null(NAMES), birth_date=or_null(DAYS), sex=or_null(st.just("male")))
    ),
    hukou=or_null(some(registered=or_null(FLAGS), since=or_null(DAYS))),
    residence=or_null(
        some(
            region_code=or_null(st.just("120119101200")),
            address=or_null(NAMES),
            lives_with=st.lists(st.sampled_from(["father", "alone"]), max_size=2),
        )
    ),
    family=or_null(some(parents=PARENTS)),
    guardianship=or_null(
        some(
            kind=or_null(st.just("none")),
            guardian=or_null(GUARDIAN),
            since=or_null(DAYS),
            harm=st.lists(st.just("abuse"), max_size=1),
        )
    ),
    education=or_null(
        some(grade=or_null(st.integers(1, 12)), boarding=or_null(FLAGS), student_numbers=NUMBERS)
    ),
    health=or_null(some(notes=or_null(NAMES))),
    welfare=or_null(some(poor=or_null(FLAGS), aids=st.lists(NAMES, max_size=2))),
    external=or_null(some(numbers=NUMBERS)),
)
"""Files, and as well what may be sent to change one."""


def merge_patch(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge_patch(target.get(name), value)
    return target


def file_of(document: dict[str, Any]) -> File:
    return File.model_validate({name: value for name, value in document.items() if value})


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine draws files slowly; that is no fault of the merge."""


@UNHURRIED
@given(FILES, FILES.filter(bool))
def test_is_what_the_rfc_says(stored: dict[str, Any], patch: dict[str, Any]) -> None:
    before = file_of(stored)
    after = merged(before, ChildChange.model_validate(patch))
    whole = before.model_dump(mode="json")
    assert after == file_of(merge_patch(whole, patch))
    assert after.model_dump(mode="json") == file_of(merge_patch(whole, patch)).model_dump(
        mode="json"
    )
    assert before == file_of(stored)


@UNHURRIED
@given(FILES, FILES.filter(bool))
def test_only_what_is_named_can_differ(stored: dict[str, Any], patch: dict[str, Any]) -> None:
    before, change = file_of(stored), ChildChange.model_validate(patch)
    after = merged(before, change)
    assert {*differing(before, after)} <= {*named(change)} == {*patch}
    assert differing(after, merged(after, change)) == []


def test_sections_are_named_in_the_order_of_the_file() -> None:
    change = ChildChange.model_validate(dict.fromkeys(reversed(SECTIONS)))
    assert named(change) == [*SECTIONS]
