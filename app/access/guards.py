"""Which power takes two people: conditions on what an operation is about, for its route."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from app.access.acts import Afterwards, ApprovalRequired, Condition, Guard
from app.agencies.models import AgencyKind

POWER: Final = (
    AgencyKind.police,
    AgencyKind.operator,
    AgencyKind.supervision,
    AgencyKind.education,
)
"""Kinds of agencies whose people read what is kept from others, or give power themselves."""

_OF_POWER: Final = Condition(
    ("agency_kind",),
    lambda *_: [*POWER],
    lambda kind, wanted: kind in wanted,
    "{0} = ANY ({wanted}::text[])",
    lambda *_: ApprovalRequired(),
)
_IN_FRONT: Final = Condition(
    ("agency_kind", "in_front"),
    lambda *_: [*POWER],
    lambda kind, in_front, wanted: kind in wanted or in_front,
    "({0} = ANY ({wanted}::text[]) OR {1})",
    lambda *_: ApprovalRequired(),
)


def _of_or_anothers(*kinds: str) -> Condition:
    return Condition(
        ("agency_kind", "agency_id"),
        lambda principal, _: [str(principal.agency_id), *kinds],
        lambda kind, agency, wanted: kind in wanted[1:] or str(agency) != wanted[0],
        "({0} = ANY (({wanted}::text[])[2:]) OR {1}::text IS DISTINCT FROM ({wanted}::text[])[1])",
        lambda *_: ApprovalRequired(),
    )


_DECIDE: Final = (*POWER, AgencyKind.civil_affairs)
"""Kinds of agencies whose people are second persons: who enters one alone has made up their own."""
_OFFICE_OF_POWER_OR_ANOTHERS: Final = replace(_of_or_anothers(*POWER), columns=("kind", "id"))
_ANY: Final = Condition(
    ("id",),
    lambda *_: True,
    lambda _, wanted: bool(wanted),
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda *_: ApprovalRequired(),
)

AGENCY_OF_POWER: Final = Guard(
    _IN_FRONT,
    "公安、运营、监督、教育机构,或某地已有同类机构时的第二个机构",
    "agencies of kind police, operator, supervision or education, and a second of its kind at a"
    " place",
)
OFFICE_CHANGED: Final = Guard(
    _OFFICE_OF_POWER_OR_ANOTHERS,
    "公安、运营、监督、教育机构,以及本机构以外的其他机构",
    "agencies of kind police, operator, supervision or education, and any other than yours",
)
POST_OF_POWER: Final = Guard(
    _OF_POWER,
    "公安、运营、监督、教育机构的岗位",
    "posts of agencies of kind police, operator, supervision or education",
)
CLIENT_OF_POWER: Final = Guard(
    _of_or_anothers(*POWER),
    "公安、运营、监督、教育机构的系统,其他机构的系统,以及供人登录的应用",
    "clients of agencies of kind police, operator, supervision or education, or of another agency"
    " than yours, and apps",
)
PEOPLE_OF_POWER: Final = Guard(
    _of_or_anothers(*_DECIDE),
    "公安、运营、监督、教育、民政机构的人员,以及其他机构的人员",
    "people of agencies of kind police, operator, supervision, education or civil affairs, or of"
    " another agency than yours",
)
PHONE_OF_POWER: Final = Guard(
    Condition(
        ("agency_kind",),
        lambda principal, _: [principal.agency_kind, *_DECIDE],
        lambda kind, wanted: kind in wanted[1:] or wanted[0] == AgencyKind.operator,
        "({0} = ANY (({wanted}::text[])[2:]) OR ({wanted}::text[])[1] = 'operator')",
        lambda *_: ApprovalRequired(),
    ),
    "公安、运营、监督、教育、民政机构人员的手机;由运营人员办理的",
    "phones of people of agencies of kind police, operator, supervision, education or civil"
    " affairs, and whatever the operator does",
)
NEW_KEYS: Final = Guard(
    _ANY,
    "任何新密钥:登记系统或供人登录的应用",
    "every new key: systems and apps registered",
)
"""A token stolen for five minutes would be a key for ever."""
UNPROVEN_KEYS: Final = Guard(
    Condition(
        ("proven",),
        lambda *_: True,
        lambda proven, wanted: wanted and not proven,
        "{wanted}::boolean",
        lambda *_: ApprovalRequired(),
    ),
    "更换密钥而未附用现有密钥签署的声明",
    "keys replaced without a statement signed with one of the keys of now",
)
"""In a list, which brings no statement, it takes two."""
ALWAYS: Final = Guard(_ANY, "任何情形", "always")

POWER_TAKEN: Final = Afterwards(
    timedelta(hours=72), "收回权力,即时生效", "power is taken away, at once"
)
IN_DANGER: Final = Afterwards(
    timedelta(hours=24),
    "办案民警单独查阅报告人联系方式",
    "an officer reads a reporter's contact alone while a child may be in danger",
)
NOTICES_TURNED: Final = Afterwards(
    timedelta(hours=72),
    "登记推送地址,改动其网址、种类、开关或密钥,或放弃一次强制推送",
    "an address for an agency's notices is registered, turned, switched or keyed anew, or a"
    " mandatory notice given up",
    Condition(
        ("turns",),
        lambda *_: True,
        lambda turns, wanted: wanted and turns,
        "({0} = {wanted}::boolean)",
        lambda *_: ApprovalRequired(),
    ),
)
"""Notices could be sent elsewhere with it, or nowhere: who stands above is told at once."""
