"""Children for tests."""

import json
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from app.access.principal import Principal
from app.access.roles import role
from app.children import below, child_keys, names, naming, sealing
from app.children.queries import ChildRef, ref_of
from app.children.sections.identity import Identity
from app.core.data import keys, sql
from app.core.data.db import SYSTEM, Database
from app.core.data.envelopes import of_child
from app.core.ids import new_id
from app.regions import rules as regions


async def a_child(
    database: Database,
    region_code: int,
    *,
    school_id: UUID | None = None,
    in_plain: bool = False,
    **fields: Any,
) -> ChildRef:
    """Store a synthetic child living in `region_code`; `in_plain`: as the release before names were
    sealed.
    """
    chosen = {"name": "测一", "sex": "female", "birth_date": date(2016, 3, 1), **fields}
    who = Identity.model_validate(chosen, extra="ignore")
    async with database.begin(SYSTEM) as tx:
        child_id = chosen.setdefault("id", new_id())
        key = keys.make(tx.keyring, of_child(child_id))
        columns = {
            "home_county": regions.county_of(region_code),
            "region_code": region_code,
            "school_id": school_id,
            "version": 1,
            "created_at": tx.now,
            "updated_at": tx.now,
            **chosen,
            **(
                naming.spell(chosen["name"])
                if in_plain
                else sealing.keep(tx.keyring, child_id, "identity", who)
            ),
            **{name: value for name, value in fields.items() if name != "name"},
        }
        texts = {name: json.dumps(value) for name, value in columns.items() if type(value) is dict}
        await sql.insert(tx.connection, "children", columns | texts)
        child = ref_of(columns)
        await child_keys.store(tx, child.home_county, child.id, key)
        await names.keep(tx, [(child, chosen["name"])])
    return child


async def moved(database: Database, child_id: UUID | str, **place: Any) -> None:
    """Let a child live elsewhere (`region_code`) or be enrolled elsewhere (`school_id`)."""
    async with database.begin(SYSTEM) as tx:
        for column, value in place.items():
            await tx.connection.execute(
                f"UPDATE children SET {column} = $1 WHERE id = $2::uuid", value, child_id
            )
        await below.follow(tx, "c.id = $1::uuid", child_id)


def with_check_digit(body: str) -> str:
    """Complete the first 17 digits of a resident number (GB 11643)."""
    return body + "10X98765432"[sum(int(d) * 2 ** (17 - i) for i, d in enumerate(body)) % 11]


RESIDENT_ID = with_check_digit("12000020160301900")
"""A girl's, born 2016-03-01; the place code 120000 is not one households are registered at."""


WELL_LOOKED_AFTER: dict[str, Any] = {
    "evaluation": "good",
    "evaluated_by": "样板村儿童主任",
    "evaluation_grounds": dict.fromkeys(("performance", "life", "education", "health"), "well"),
}


def a_file(region_code: int, **sections: Any) -> dict[str, Any]:
    """Write the body that opens a left-behind girl's file."""
    since = "2020-01-01"
    chosen = {
        "identity": {
            "name": "样小一",
            "sex": "female",
            "birth_date": "2016-03-01",
            "ethnic_group": "01",
            "resident_id": RESIDENT_ID,
        },
        "hukou": {"registered": True, "type": "rural", "region_code": f"{region_code:012d}"},
        "residence": {
            "region_code": f"{region_code:012d}",
            "address": "样板胡同九号",
            "lives_with": ["grandparents"],
        },
        "family": {
            "parents": [
                {
                    "role": role,
                    "name": name,
                    "statuses": [{"status": "away", "since": since}],
                    "incapacity_certificate": "合成诊断证明1",
                }
                for role, name in (("father", "样大甲"), ("mother", "样大乙"))
            ]
        },
        "guardianship": {
            "kind": "grandparents",
            "guardian": {"name": "样老丙", "relation": "外婆", "phone": "+86 10 5550 0101"},
            **WELL_LOOKED_AFTER,
        },
        "education": {
            "stage": "primary",
            "status": "enrolled",
            "student_numbers": [{"system": "student_status", "number": "G-CANARY-1"}],
        },
        "health": {"status": "healthy", "notes": "对样品过敏"},
        "welfare": {"poor": False},
    }
    return {**chosen, **sections}


def says(shown: Any, sent: Any) -> bool:
    """Tell whether what is shown has all that was sent."""
    if isinstance(sent, dict):
        return all(name in shown and says(shown[name], each) for name, each in sent.items())
    if isinstance(sent, list):
        return len(shown) == len(sent) and all(map(says, shown, sent))
    return bool(shown == sent)


def everywhere(lo: int = 0, hi: int = 10**12) -> Principal:
    """Somebody who sees every child of a range of regions."""
    return Principal(
        subject="staff:test",
        staff_id=None,
        client_id=None,
        agency_id=uuid4(),
        agency_kind="civil_affairs",
        role=role("civil_affairs"),
        region_code=0,
        region_lo=lo,
        region_hi=hi,
        scopes=frozenset(),
        request_id="-",
        ip=None,
    )
