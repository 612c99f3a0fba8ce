"""Visits to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area("Visits", chapter=7, zh="走访及所见情况。", en="Home visits and what was found.")
READ = AREA.scope("visits:read", zh="读取走访记录", en="Read home visits")
WRITE = AREA.scope("visits:write", zh="记录和更正走访", en="Record and correct home visits")
