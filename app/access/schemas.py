"""What travels on the wire about callers."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

Region = Annotated[
    str,
    Field(
        pattern=r"^\d{12}$",
        min_length=12,
        max_length=12,
        description="Division code, 12 digits (GB/T 2260 and statistical codes below).",
        examples=["120119101000"],
    ),
]


class Me(BaseModel):
    """Who the token speaks for, as the database knows it now."""

    subject: Annotated[
        str,
        Field(max_length=50, pattern=r"^(staff|client):[0-9a-f-]{36}$", description="The caller."),
    ]
    agency_id: UUID = Field(description="The agency the caller acts for.")
    agency_kind: Annotated[
        str, Field(max_length=40, pattern=r"^[a-z_]+$", description="Kind of agency.")
    ]
    role: Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$", description="Role held.")]
    region_code: Region
    scopes: Annotated[
        list[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+:[a-z_]+$")]],
        Field(max_length=60, description="Scopes the token carries and the role still grants."),
    ]
    purposes: Annotated[
        list[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]],
        Field(max_length=20, description="Purposes the role may use personal data for."),
    ]
    reads: Annotated[
        list[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]],
        Field(max_length=20, description="Sections of a child's file the role reads."),
    ]
    writes: Annotated[
        list[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]],
        Field(max_length=20, description="Sections of a child's file the role writes."),
    ]
