"""Visits to the outside: chapter, scopes, and what may be done with one."""

from app.access.acts import Act
from app.children import acts as child
from app.core import areas

AREA = areas.area("Visits", chapter=7, zh="走访及所见情况。", en="Home visits and what was found.")
READ = AREA.scope("visits:read", zh="读取走访记录", en="Read home visits")
WRITE = AREA.scope("visits:write", zh="记录和更正走访", en="Record and correct home visits")

ACTS = {"correctVisit": Act(WRITE.code), "listVisitVersions": Act(READ.code)}
child.ACTS["listChildVisits"] = Act(READ.code)
