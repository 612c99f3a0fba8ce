"""A slip in the roles stops every process at its start, with the line and the name meant."""

import pytest

from app import wiring
from app.access import roles
from app.core import areas, data_files
from app.core.data_files import BadDataFile

NAME = "app/access/roles.yaml"
ROLES = """\
scope_sets:
  signed_in: ["me:read", "reference:read"]
  files: ["children:read"]
school:
  name: {zh: 学校, en: School}
  obligations: [EDU-01]
  for: [staff]
  agency_kinds: [school]
  levels: [village, township, county]
  relation: enrolled
  reads: [identity, family]
  writes: [education]
  includes: [signed_in, files]
  scopes: ["attendance:read"]
  purposes: [education]
"""
SLIPS = r"""
scopes: ["attendance:read"] → scopes: ["attendence:read"] → no scope is called attendence:read; did you mean attendance:read?
files: ["children:read"] → files: ["child:read"] → no scope is called child:read; did you mean children:read?
includes: [signed_in, files] → includes: [signed_in, file] → no set of scopes is called file; did you mean files?
reads: [identity, family] → reads: [identity, familiy] → no value of reads is called familiy; did you mean family?
writes: [education] → writes: [eduction] → no value of writes is called eduction; did you mean education?
agency_kinds: [school] → agency_kinds: [shool] → no value of agency_kinds is called shool; did you mean school?
levels: [village, → levels: [vilage, → no level is called vilage; did you mean village?
for: [staff] → for: [staf] → no value of for is called staf; did you mean staff?
relation: enrolled → relation: enroled → no value of relation is called enroled; did you mean enrolled?
purposes: [education] → purposes: [educate] → no value of purposes is called educate; did you mean education?
obligations: [EDU-01] → obligations: [EDV-01] → no obligation is called EDV-01; did you mean EDU-01?
{zh: 学校, en: School} → {zh: 学校, eng: School} → no key is called eng; did you mean en?
{zh: 学校, en: School} → {zh: "", en: School} → name.zh says nothing
{zh: 学校, en: School} → 学校 → name is made of names and what they mean
scopes: ["attendance:read"] → scopes: "attendance:read" → scopes is a list: write [attendance:read]
scopes: ["attendance:read"] → scopes: → scopes says nothing
files: ["children:read"] → files: "children:read" → files is a list: write [children:read]
files: ["children:read"] → files: → files says nothing
files: ["children:read"] → files: [] → files says nothing
levels: [village, township, county] → levels: county → levels is a list: write [county]
includes: [signed_in, files] → includes: files → includes is a list: write [files]
scope_sets: → scope_set: → no key is called scope_set; did you mean scope_sets?
scope_sets: → scope_sets: []\nothers: → scope_sets is made of names and what they mean
school: → School: → School is no code of a role, like village_director
school: → the school: → the school is no code of a role, like village_director
purposes: [education] → purpose: [education] → no key is called purpose; did you mean purposes?
levels: [village, township, county] → for: [staff] → for is said twice
"""  # noqa: E501  a slip a line: what is right, what is written, what is said


@pytest.fixture(scope="module", autouse=True)
def _scopes() -> None:
    wiring.load()


def test_the_roles_in_force_name_nothing_unknown() -> None:
    roles.check(roles.file(), areas.scopes())


def test_a_scope_that_no_role_holds_is_refused() -> None:
    with pytest.raises(BadDataFile, match="no role holds the scope visits:plan"):
        roles.check(roles.file(), [*areas.scopes(), "visits:plan"])


def test_a_role_has_its_own_scopes_and_those_of_its_sets() -> None:
    found = roles.roles_of(data_files.parse(NAME, ROLES))
    assert found.keys() == {"school"}
    assert found["school"].scopes == {
        "me:read",
        "reference:read",
        "children:read",
        "attendance:read",
    }


@pytest.mark.parametrize("slip", SLIPS.strip().splitlines())
def test_a_slip_is_refused_with_its_line(slip: str) -> None:
    right, wrong, sentence = slip.replace(r"\n", "\n").split(" → ")
    assert right in ROLES
    line = ROLES[: ROLES.index(right)].count("\n") + 1
    with pytest.raises(BadDataFile) as refusal:
        roles.check(data_files.parse(NAME, ROLES.replace(right, wrong, 1)), areas.scopes())
    assert str(refusal.value) == f"{NAME} line {line}: {sentence}"
