"""Visits to the outside: chapter, scopes, and what a child's file leads to."""

from app.access.acts import Act
from app.children import acts as child
from app.core import areas

AREA = areas.area(
    "Visits", 7, "走访及所见情况。", "Home visits and what was found.", lane=areas.Lane.people
)
READ = AREA.scope("visits:read", "读取走访记录", "Read home visits")
WRITE = AREA.scope("visits:write", "记录和更正走访", "Record and correct home visits")
child.ACTS["listChildVisits"] = Act(READ.code)
