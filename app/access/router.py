"""Who am I."""

from typing import Annotated

from app.access import schemas
from app.access.deps import ScopeMissing, Unauthenticated, needs
from app.access.principal import Principal
from app.access.scopes import Scope
from app.core import routing
from app.core.problems import documented

router = routing.router("Access")

ReadsMe = Annotated[Principal, needs(Scope.me_read)]


@router.get("/me", response_model=schemas.Me, responses=documented(Unauthenticated, ScopeMissing))
async def read_me(principal: ReadsMe) -> schemas.Me:
    """Read who the token speaks for and what it may do."""
    return schemas.Me(
        subject=principal.subject,
        agency_id=principal.agency_id,
        agency_kind=principal.agency_kind,
        role=principal.role.code,
        region_code=f"{principal.region_code:012d}",
        scopes=sorted(principal.scopes),
        purposes=sorted(principal.role.purposes),
        reads=sorted(principal.role.reads),
        writes=sorted(principal.role.writes),
    )
