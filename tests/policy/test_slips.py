"""A slip in the policy or the code lists stops every process at its start, with its line."""

import sys

import pytest

from app import cli
from app.core import data_files
from app.core.data_files import BadDataFile
from app.policy import clauses, codelists, parameters, queries

POLICY = """\
contradictions:
  "1": [lbc.age]
  "2": [lbc.rule, lbc.age]
  "3": kept as published
parameters:
  lbc.age:
    title_zh: 年龄
    title_en: Age
    schema: {type: integer, minimum: 1}
    values: &ages
      - {region: 0, valid_from: 2016-02-04, value: 16, citation: DEF-06}
      - {region: 120000000000, valid_from: 2016-02-05, value: 14, citation: DEF-01}
  lbc.rule:
    title_zh: 情形
    title_en: Whose absence
    note: "any: no test"
    schema: {enum: [any, rural]}
    values:
      - {region: 0, valid_from: 2016-02-04, value: rural, citation: DEF-06}
  lbc.classes:
    title_zh: 类别
    title_en: Classes
    schema:
      type: array
      items:
        type: object
        additionalProperties: false
        required: [code, zh, en]
        properties:
          code: {type: string}
          zh: {type: string, minLength: 1}
          en: {type: string, minLength: 1}
    values:
      - region: 0
        valid_from: 2016-02-04
        value:
          - {code: family, zh: 家庭, en: Poverty}
          - {code: self, zh: 自身, en: Disability}
        citation: DEF-10
"""
DEMO = """\
values:
  lbc.age:
    - &demo
      region: 120101000000
      valid_from: 2016-02-04
      value: 18
      citation: DEMO
  lbc.rule:
    - {<<: *demo, value: rural}
"""
LISTS = """\
sexes:
  title: {zh: 性别, en: Sex}
  source: GB/T 2261.1
  items:
    - {code: male, zh: 男, en: Male}
    - {code: female, zh: 女, en: Female}
classes:
  title: {zh: 类别, en: Classes}
  parameter: lbc.classes
"""
CLAUSES = """\
DEF-01:
  area: A Definitions
  title_zh: 定义
  title_en: Definition
  carried_by: ["parameter:lbc.age"]
  tests: [tests/a.py::b]
DEF-02:
  area: A Definitions
  title_zh: 定义
  title_en: Definition
  status: not_yet
"""
POLICY_SLIPS = r"""
"1": [lbc.age] → "1": [lbc.ago] → no policy parameter is called lbc.ago; did you mean lbc.age?
"1": [lbc.age] → "1": → nothing is said of 1
"1": [lbc.age] → "1": [] → nothing is said of 1
"2": [lbc.rule → 2: [lbc.rule → put the key 2 in quotes, YAML takes it for something else
"2": [lbc.rule → "1": [lbc.rule → 1 is said twice
contradictions: → contradiction: → no key is called contradiction; did you mean contradictions?
parameters: → parameter: → no key is called parameter; did you mean parameters?
lbc.rule:\n → lbc.age:\n → lbc.age is said twice
lbc.age:\n → lbc.age: 16\n  lbc.wage:\n → parameters.lbc.age is made of names and what they mean
title_zh: 年龄 → title_hz: 年龄 → no key is called title_hz; did you mean title_zh?
title_zh: 年龄 → title_zh: → parameters.lbc.age.title_zh says nothing
title_zh: 年龄 → title_zh: " " → parameters.lbc.age.title_zh says nothing
title_zh: 年龄 → title_zh: 5 → parameters.lbc.age.title_zh is a text: put it in quotes
note: "any: no test" → note: "" → parameters.lbc.rule.note says nothing
minimum: 1} → minimun: 1} → no keyword is called minimun; did you mean minimum?
{type: string} → {typ: string} → no keyword is called typ; did you mean type?
type: integer → type: integr → lbc.age: 'integr' is not valid under any of the given schemas
values: &ages → valeus: &ages → no key is called valeus; did you mean values?
region: 120000000000 → region: 120119 → 120119 is no region
region: 120000000000 → region: "120000000000" → parameters.lbc.age.values.region is a number: write it without quotes
region: 120000000000 → regoin: 120000000000 → no key is called regoin; did you mean region?
valid_from: 2016-02-05 → valid_frm: 2016-02-05 → no key is called valid_frm; did you mean valid_from?
valid_from: 2016-02-05 → valid_from: "2016-02-05" → parameters.lbc.age.values.valid_from is a day: write it like 2026-11-20, without quotes
valid_from: 2016-02-05 → valid_from: 2016-02-30 → 2016-02-30 is no day or number that exists
valid_from: 2016-02-05 → valid_from: 2016-02-05, valid_until: 2016-02-04 → the period from 2016-02-05 ends before it starts
citation: DEF-01 → citation: "" → parameters.lbc.age.values.citation says nothing
, citation: DEF-01 → → parameters.lbc.age.values.citation is missing
value: 14, → → parameters.lbc.age.values.value is missing
value: 14 → value: "14" → lbc.age: '14' is not of type 'integer'
value: 14 → value: 0 → lbc.age: 0 is less than the minimum of 1
value: rural → value: rurall → no value of lbc.rule is called rurall; did you mean rural?
en: Poverty → eng: Poverty → no key is called eng; did you mean en?
, en: Poverty → → lbc.classes: 'en' is a required property
en: Poverty → en: "" → lbc.classes: '' should be non-empty
code: self → code: family → the code family is given twice
region: 120000000000, valid_from: 2016-02-05 → region: 0, valid_from: 2016-02-05 → lbc.age in 0: the periods from 2016-02-04 and from 2016-02-05 overlap
"""  # noqa: E501  a slip a line: what is right, what is written, what is said
DEMO_SLIPS = """
lbc.rule: → lbc.rules: → no policy parameter is called lbc.rules; did you mean lbc.rule?
lbc.rule: → lbc.age: → lbc.age is said twice
region: 120101000000 → region: 1 → 1 is no region
value: rural → valu: rural → no key is called valu; did you mean value?
value: rural → value: both → no value of lbc.rule is called both
values: → value: → no key is called value; did you mean values?
"""
LISTS_SLIPS = """
{zh: 性别, en: Sex} → {zh: 性别} → title.en is missing
{zh: 性别, en: Sex} → {zh: 性别, eng: Sex} → no key is called eng; did you mean en?
{zh: 性别, en: Sex} → {zh: "", en: Sex} → title.zh says nothing
{zh: 性别, en: Sex} → 性别 → title is made of names and what they mean
source: GB/T → sauce: GB/T → no key is called sauce; did you mean source?
en: Female → eng: Female → no key is called eng; did you mean en?
, en: Female → → items.en is missing
en: Female → en: ~ → items.en says nothing
zh: 女 → zh: "" → items.zh says nothing
code: female → code: male → the code male is given twice
code: female → code: no → items.code is a text: put it in quotes
parameter: lbc.classes → parameter: lbc.class → no policy parameter is called lbc.class; did you mean lbc.classes?
parameter: lbc.classes → paramter: lbc.classes → no key is called paramter; did you mean parameter?
"""  # noqa: E501  a slip a line: what is right, what is written, what is said
CLAUSES_SLIPS = r"""
DEF-01: → DEF01: → no obligation is called DEF01; did you mean DEF-01?
DEF-02: → DEF-01: → DEF-01 is said twice
title_zh: 定义 → title_hz: 定义 → no key is called title_hz; did you mean title_zh?
title_en: Definition → title_en: → title_en says nothing
title_zh: 定义 → partly: \n  title_zh: 定义 → partly says nothing
title_zh: 定义 → partley: No clock.\n  title_zh: 定义 → no key is called partley; did you mean partly?
status: not_yet → status: done → no value of status is called done
status: not_yet → status: notyet → no value of status is called notyet; did you mean not_yet?
["parameter:lbc.age"] → ["parameter:lbc.ages"] → no policy parameter is called lbc.ages; did you mean lbc.age?
["parameter:lbc.age"] → ["paramter:lbc.age"] → no kind of carrier is called paramter; did you mean parameter?
["parameter:lbc.age"] → ["parameter:"] → parameter: names nothing
["parameter:lbc.age"] → "parameter:lbc.age" → carried_by is a list: write [parameter:lbc.age]
"""  # noqa: E501  a slip a line: what is right, what is written, what is said
ALL = [
    *((POLICY, 0, slip) for slip in POLICY_SLIPS.strip().splitlines()),
    *((DEMO, 1, slip) for slip in DEMO_SLIPS.strip().splitlines()),
    *((LISTS, 2, slip) for slip in LISTS_SLIPS.strip().splitlines()),
    *((CLAUSES, 3, slip) for slip in CLAUSES_SLIPS.strip().splitlines()),
]
RIGHT = (POLICY, DEMO, LISTS, CLAUSES)
NAMES = [
    f"app/policy/{name}.yaml"
    for name in ("data/parameters", "data/demo_parameters", "data/codelists", "clauses")
]
A_DAY = "is a day: write it like 2026-11-20, without quotes"
EITHER = "say either `carried_by` and `tests`, or `status: not_yet`"
SOMETHING = "`partly` says what is missing of something that is carried"
ONE_THING = "say either `parameter`, or `source` and `items`"


def check(*texts: str) -> None:
    policy, demo, lists, carried = map(data_files.parse, NAMES, texts)
    parameters.check(policy, demo)
    declared = parameters.declared_in(policy)
    codelists.check(lists, declared)
    clauses.check(carried, declared)


def refused(which: int, text: str) -> str:
    texts = [*RIGHT]
    texts[which] = text
    with pytest.raises(BadDataFile) as refusal:
        check(*texts)
    return str(refusal.value)


def test_the_files_in_force_name_nothing_unknown() -> None:
    parameters.check(parameters.file(), parameters.demo_file())
    codelists.check(codelists.file(), queries.parameters())
    clauses.check(clauses.file(), queries.parameters())
    check(*RIGHT)


@pytest.mark.parametrize(("right_text", "which", "slip"), ALL)
def test_a_slip_is_refused_with_its_line(right_text: str, which: int, slip: str) -> None:
    right, wrong, sentence = slip.replace(r"\n", "\n").split("→")
    right, wrong = right.strip(" "), wrong.strip(" ")
    assert right in right_text
    line = right_text[: right_text.index(right)].count("\n") + 1
    text = right_text.replace(right, wrong, 1)
    assert refused(which, text) == f"{NAMES[which]} line {line}: {sentence.strip()}"


@pytest.mark.parametrize(
    ("which", "text", "line", "sentence"),
    [
        (
            0,
            POLICY.replace(
                "region: 0, valid_from: 2016-02-04, value: r",
                "region: 110000000000, valid_from: 2016-02-04, value: r",
            ),
            18,
            "lbc.rule has no value for the nation",
        ),
        (1, DEMO.replace("16-02-04", "1602-04"), 5, f"values.lbc.age.valid_from {A_DAY}"),
        (2, LISTS.replace("  title: {zh: 类别, en: Classes}\n", ""), 7, "title is missing"),
        (2, LISTS.replace("  parameter: lbc.classes\n", ""), 7, ONE_THING),
        (2, LISTS + "  source: GB/T 2261.1\n", 7, ONE_THING),
        (2, LISTS.replace("  source: GB/T 2261.1\n", ""), 1, ONE_THING),
        (2, LISTS + "others:\n", 10, "nothing is said of others"),
        (
            0,
            POLICY.replace("contradictions:", "contradictions: {", 1),
            3,
            "did not find expected ',' or '}'",
        ),
        (1, DEMO.replace("{<<: *demo", "{<<: *dema"), 9, "found undefined alias"),
        (1, DEMO.replace("- {<<: *demo", "- {<<: *demo, <<: *demo"), 9, "<< is said twice"),
        (1, DEMO.replace("value: 18", "value: x"), 6, "lbc.age: 'x' is not of type 'integer'"),
        (2, LISTS.replace("[", "{") + "x: [", 10, "did not find expected node content"),
        (3, CLAUSES.replace("  tests: [tests/a.py::b]\n", ""), 1, EITHER),
        (3, CLAUSES.replace("[tests/a.py::b]", "[]"), 1, EITHER),
        (3, CLAUSES.replace('["parameter:lbc.age"]', "[]"), 1, EITHER),
        (3, CLAUSES.replace("  status: not_yet\n", ""), 7, EITHER),
        (3, CLAUSES + "  tests: [tests/a.py::b]\n", 7, EITHER),
        (3, CLAUSES + "  partly: No clock.\n", 7, SOMETHING),
        (2, "- sexes", 1, "names and what they mean are expected"),
    ],
)
def test_a_slip_that_is_more_than_a_line(which: int, text: str, line: int, sentence: str) -> None:
    assert refused(which, text) == f"{NAMES[which]} line {line}: {sentence}"


def test_periods_of_one_region_may_touch() -> None:
    before = "region: 0, valid_from: 2016-02-04, valid_until: 2016-02-04, value: 16"
    text = POLICY.replace("region: 120000000000", "region: 0")
    check(text.replace("region: 0, valid_from: 2016-02-04, value: 16", before), *RIGHT[1:])


@pytest.mark.parametrize(
    ("module", "name", "which"),
    [
        (parameters, "file", 0),
        (parameters, "demo_file", 1),
        (codelists, "file", 2),
        (clauses, "file", 3),
    ],
)
def test_no_command_starts_with_a_slip(module, name, which, monkeypatch, capsys) -> None:
    def slipped() -> data_files.DataFile:
        return data_files.parse(NAMES[which], f"{RIGHT[which]}xs: {{")

    monkeypatch.setattr(module, name, slipped)
    monkeypatch.setattr(sys, "argv", ["tonghu", "jobs", "held"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{NAMES[which]} line ")
    assert said.count("\n") == 1
