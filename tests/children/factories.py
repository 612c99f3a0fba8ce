"""Children for tests."""

from datetime import date
from typing import Any
from uuid import UUID

from app.children.models import Child
from app.children.queries import ChildRef
from app.core.db import SYSTEM, Database
from app.core.ids import new_id
from app.regions import rules as regions


async def a_child(
    database: Database, region_code: int, *, school_id: UUID | None = None, **fields: Any
) -> ChildRef:
    """Store a synthetic child living in `region_code`."""
    child_id = new_id()
    home_county = regions.county_of(region_code)
    chosen = {
        "name": "测一",
        "name_pinyin": "ceyi",
        "sex": "female",
        "birth_date": date(2016, 3, 1),
    }
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            Child(
                id=child_id,
                home_county=home_county,
                region_code=region_code,
                school_id=school_id,
                created_at=tx.now,
                updated_at=tx.now,
                **{**chosen, **fields},
            )
        )
    return ChildRef(child_id, home_county, region_code, school_id)
