"""Duties to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Duties", 6, "谁在何时之前对哪名儿童负有何种责任。", "Who owes what to which child by when."
)
READ = AREA.scope("duties:read", "读取谁在何时之前应履行何种责任", "Read who owes what by when")
