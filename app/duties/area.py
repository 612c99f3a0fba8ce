"""Duties to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Duties",
    chapter=6,
    zh="谁在何时之前对哪名儿童负有何种责任。",
    en="Who owes what to which child by when.",
)
READ = AREA.scope(
    "duties:read", zh="读取谁在何时之前应履行何种责任", en="Read who owes what by when"
)
