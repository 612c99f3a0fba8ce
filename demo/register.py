"""A register of synthetic left-behind children with exactly the margins Tianjin published.

STA-02 prints totals only, so everything about a single child is drawn from a seed. Nobody in it
exists: the names say so (a surname, 样 "sample" and the running number), and every resident id has
the place code 120000, which stands for Tianjin as a whole and is not what a household registry
issues, and a sequence number from 900 up. Villages are real.

Every child is left behind under Tianjin's policy (DEF-01: under 16, rural hukou, both parents away
or one away and the other incapable). The 13 children without hukou count by the household they
live in, whose kind `Hukou.type` gives for them too. The text counts households by source of
income; here each child stands for one household, and the 307 that the text does not explain have
another source.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Final, Literal, TypeVar

from stdnum.cn import ric

from app.regions.divisions import Division
from app.regions.rules import county_of

Sex = Literal["male", "female"]
Guardianship = Literal["grandparents", "relatives", "none", "one_away_other_incapable"]
Evaluation = Literal["good", "fair", "poor"]
Incapacity = Literal["serious_illness", "severe_disability"]
Schooling = Literal[
    "not_in_kindergarten",
    "kindergarten",
    "primary",
    "junior_secondary",
    "senior_secondary",
    "vocational",
]
Income = Literal["migrant_work", "farming", "other"]


@dataclass(frozen=True, slots=True)
class Hukou:
    """Household registration. Of an unregistered child `type` is its household's, `place` None."""

    registered: bool
    type: Literal["rural"]
    place: int | None


@dataclass(frozen=True, slots=True)
class Parent:
    """One parent, and since when the status holds (never before the child's birth)."""

    role: Literal["father", "mother"]
    status: Literal["away", "at_home"]
    since: date
    guardianship_capacity: bool
    incapacity_reason: Incapacity | None


@dataclass(frozen=True, slots=True)
class SyntheticChild:
    """One child of the register.

    `village` is a 12-digit code; `ethnic_group` the number of GB/T 3304 ("01" Han). `schooling` of
    a child with `dropout` is the stage it left. `guardian_eval` is None where there is no entrusted
    guardian to evaluate. `resident_id` is None for the unregistered and a few others.
    """

    seq: int
    name: str
    sex: Sex
    birth_date: date
    ethnic_group: str
    village: int
    hukou: Hukou
    guardianship: Guardianship
    guardian_eval: Evaluation | None
    parents: tuple[Parent, Parent]
    schooling: Schooling
    dropout: bool
    income_source: Income
    resident_id: str | None


class DistrictWithoutVillages(ValueError):
    """The villages given leave out a district in which children are to live."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A published count, and its share of all children in percent where one is printed."""

    count: int
    percent: Decimal | None = None


CITATION: Final = (
    "STA-02 (天津市农村留守儿童摸底排查, 2016): 全市共摸底排查出农村留守儿童1236人 …"
    "农村留守儿童家庭主要经济来源是外出务工(702户)和种养殖业(227户)"
)

PUBLISHED: Final[Mapping[str, Figure]] = {
    "total": Figure(1236),
    "guardianship.grandparents": Figure(970, Decimal("78.48")),
    "guardianship.relatives": Figure(33, Decimal("2.67")),
    "guardianship.none": Figure(35, Decimal("2.83")),
    "guardianship.one_away_other_incapable": Figure(198, Decimal("16.02")),
    "guardian_eval.poor": Figure(356),
    "dropout": Figure(7),
    "no_hukou": Figure(13),
    "districts.wuqing_baodi_ninghe_jizhou": Figure(1117, Decimal("90.37")),
    "districts.jizhou": Figure(565),
    "ages.0_5": Figure(279, Decimal("22.57")),
    "ages.6_13": Figure(834, Decimal("67.48")),
    "ages.14_15": Figure(123, Decimal("9.95")),
    "income.migrant_work": Figure(702),
    "income.farming": Figure(227),
}

JIZHOU: Final = 120119000000
FOUR_DISTRICTS: Final = (120114000000, 120115000000, 120117000000, JIZHOU)
SIX_OTHERS: Final = (
    120110000000,
    120111000000,
    120112000000,
    120113000000,
    120116000000,
    120118000000,
)

_GUARDIANSHIPS: Final[Mapping[Guardianship, int]] = {
    "grandparents": PUBLISHED["guardianship.grandparents"].count,
    "relatives": PUBLISHED["guardianship.relatives"].count,
    "none": PUBLISHED["guardianship.none"].count,
    "one_away_other_incapable": PUBLISHED["guardianship.one_away_other_incapable"].count,
}
_INCOMES: Final[Mapping[Income, int]] = {
    "migrant_work": PUBLISHED["income.migrant_work"].count,
    "farming": PUBLISHED["income.farming"].count,
    "other": PUBLISHED["total"].count
    - PUBLISHED["income.migrant_work"].count
    - PUBLISHED["income.farming"].count,
}
_BANDS: Final = {"ages.0_5": range(6), "ages.6_13": range(6, 14), "ages.14_15": range(14, 16)}
_DROPOUT_AGES: Final = range(7, 15)

# Not published; chosen so that the register looks like one.
_BOYS: Final = 0.545  # of all left-behind children in 2018
_NO_ID_YET: Final = 25
_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"

_DIGITS: Final = str.maketrans("0123456789", "零一二三四五六七八九")
_ID_PLACE: Final = "120000"
_FIRST_SEQUENCE: Final = 900

Kind = TypeVar("Kind")


def generate(
    villages: Iterable[Division], *, as_of: date, seed: int = 1236
) -> tuple[SyntheticChild, ...]:
    """Return the 1,236 children, by village. The same arguments give the same register.

    `villages` must hold villages of each of the ten agricultural districts; ages hold on `as_of`.
    """
    random = Random(seed)  # noqa: S311  repeatable, not secret
    homes = _homes(random, villages)
    births = _birth_dates(random, as_of)
    kinds = _dealt(random, _GUARDIANSHIPS)
    evaluations = _evaluations(random, kinds)
    incomes = _dealt(random, _INCOMES)
    unregistered = _chosen(random, range(len(homes)), "no_hukou")
    pupils = [place for place, birth in enumerate(births) if _age(birth, as_of) in _DROPOUT_AGES]
    dropouts = _chosen(random, pupils, "dropout")
    sexes: list[Sex] = random.choices(("male", "female"), (_BOYS, 1 - _BOYS), k=len(homes))
    numbers = _resident_ids(births, sexes)
    without_number = unregistered | set(random.sample(range(len(homes)), _NO_ID_YET))
    return tuple(
        SyntheticChild(
            seq=place + 1,
            name=random.choice(_SURNAMES) + "样" + f"{place + 1:04d}".translate(_DIGITS),
            sex=sexes[place],
            birth_date=births[place],
            ethnic_group=random.choices(("01", "03", "11"), (96, 2, 2))[0],
            village=home,
            hukou=Hukou(registered=True, type="rural", place=home)
            if place not in unregistered
            else Hukou(registered=False, type="rural", place=None),
            guardianship=kinds[place],
            guardian_eval=evaluations[place],
            parents=_parents(random, kinds[place], births[place], as_of),
            schooling=_schooling(random, _age(births[place], as_of)),
            dropout=place in dropouts,
            income_source=incomes[place],
            resident_id=None if place in without_number else numbers[place],
        )
        for place, home in enumerate(homes)
    )


def recompute(children: Sequence[SyntheticChild], *, as_of: date) -> dict[str, Figure]:
    """Return the published table counted from a register, with the same keys as PUBLISHED."""
    counts = {"total": len(children)}
    for child in children:
        county, age = county_of(child.village), _age(child.birth_date, as_of)
        entrusted = child.guardianship in ("grandparents", "relatives")
        facts = {
            f"guardianship.{child.guardianship}": True,
            "guardian_eval.poor": entrusted and child.guardian_eval == "poor",
            "dropout": child.dropout,
            "no_hukou": not child.hukou.registered,
            "districts.wuqing_baodi_ninghe_jizhou": county in FOUR_DISTRICTS,
            "districts.jizhou": county == JIZHOU,
            f"income.{child.income_source}": True,
            **{band: age in ages for band, ages in _BANDS.items()},
        }
        for name, holds in facts.items():
            counts[name] = counts.get(name, 0) + holds
    return {
        name: Figure(
            counts.get(name, 0),
            _percent(counts.get(name, 0), len(children)) if printed.percent else None,
        )
        for name, printed in PUBLISHED.items()
    }


def _percent(count: int, total: int) -> Decimal:
    return (Decimal(100 * count) / total).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _age(birth: date, on: date) -> int:
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _dealt(random: Random, counts: Mapping[Kind, int]) -> list[Kind]:
    cards = [kind for kind, count in counts.items() for _ in range(count)]
    random.shuffle(cards)
    return cards


def _chosen(random: Random, places: Sequence[int], figure: str) -> set[int]:
    return set(random.sample(places, PUBLISHED[figure].count))


def _homes(random: Random, villages: Iterable[Division]) -> list[int]:
    """Deal the children to the districts and to villages there, ascending."""
    by_district: dict[int, list[int]] = {code: [] for code in (*FOUR_DISTRICTS, *SIX_OTHERS)}
    for village in villages:
        district = by_district.get(county_of(village.code))
        # 村委会: a village proper; the others are urban communities.
        if district is not None and village.name.endswith("村委会"):
            district.append(village.code)
    for code, codes in by_district.items():
        if not codes:
            raise DistrictWithoutVillages(str(code))
    in_jizhou = PUBLISHED["districts.jizhou"].count
    in_four = PUBLISHED["districts.wuqing_baodi_ninghe_jizhou"].count
    three = [code for code in FOUR_DISTRICTS if code != JIZHOU]
    districts = [
        *[JIZHOU] * in_jizhou,
        *random.choices(three, k=in_four - in_jizhou),
        *random.choices(SIX_OTHERS, k=PUBLISHED["total"].count - in_four),
    ]
    return sorted(random.choice(by_district[district]) for district in districts)


def _birth_dates(random: Random, as_of: date) -> list[date]:
    births = []
    for band in _dealt(random, {band: PUBLISHED[band].count for band in _BANDS}):
        age = random.choice(_BANDS[band])
        first = _years_before(as_of, age + 1) + timedelta(days=1)
        # No parents of a newborn: whoever is away has been for a month at least.
        last = _years_before(as_of, age) - timedelta(days=0 if age else 120)
        births.append(first + timedelta(days=random.randint(0, (last - first).days)))
    return births


def _years_before(day: date, years: int) -> date:
    month, number = day.month, day.day
    leap_day = (month, number) == (2, 29)
    return date(day.year - years, month, 28 if leap_day and years else number)


def _evaluations(random: Random, kinds: Sequence[Guardianship]) -> list[Evaluation | None]:
    entrusted = [place for place, kind in enumerate(kinds) if kind in ("grandparents", "relatives")]
    poor = _chosen(random, entrusted, "guardian_eval.poor")
    evaluations: list[Evaluation | None] = [None] * len(kinds)
    for place in entrusted:
        evaluations[place] = "poor" if place in poor else random.choice(("good", "good", "fair"))
    return evaluations


def _parents(random: Random, kind: Guardianship, birth: date, as_of: date) -> tuple[Parent, Parent]:
    at_home = random.choice(("father", "mother")) if kind == "one_away_other_incapable" else None

    def parent(role: Literal["father", "mother"]) -> Parent:
        first = max(birth + timedelta(days=60), as_of - timedelta(days=8 * 365))
        last = as_of - timedelta(days=30)
        since = first + timedelta(days=random.randint(0, (last - first).days))
        if role != at_home:
            return Parent(role, "away", since, guardianship_capacity=True, incapacity_reason=None)
        reason: Incapacity = random.choice(("serious_illness", "severe_disability"))
        return Parent(role, "at_home", since, guardianship_capacity=False, incapacity_reason=reason)

    return parent("father"), parent("mother")


def _schooling(random: Random, age: int) -> Schooling:
    by_age: Sequence[tuple[range, tuple[Schooling, ...]]] = (
        (range(3), ("not_in_kindergarten",)),
        (range(3, 6), ("kindergarten", "kindergarten", "not_in_kindergarten")),
        (range(6, 12), ("primary",)),
        (range(12, 15), ("junior_secondary",)),
        (range(15, 16), ("junior_secondary", "senior_secondary", "vocational")),
    )
    return random.choice(next(stages for ages, stages in by_age if age in ages))


def _resident_ids(births: Sequence[date], sexes: Sequence[Sex]) -> list[str]:
    """Make one number a child: those of one birth date from 900 up, odd for boys."""
    taken: Counter[tuple[date, Sex]] = Counter()
    numbers = []
    for birth, sex in zip(births, sexes, strict=True):
        sequence = _FIRST_SEQUENCE + 2 * taken[birth, sex] + (sex == "male")
        taken[birth, sex] += 1
        body = f"{_ID_PLACE}{birth:%Y%m%d}{sequence}"
        numbers.append(body + ric.calc_check_digit(body + "0"))
    return numbers
