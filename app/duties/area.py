"""Duties to the outside: chapter, scopes, and what a rule is called."""

from typing import Annotated, Final

from pydantic import Field

from app.core import areas

AREA = areas.area(
    "Duties",
    6,
    "谁在何时之前对哪名儿童负有何种职责。",
    "Who owes what to which child by when.",
    lane=areas.Lane.people,
)
READ = AREA.scope("duties:read", "读取谁在何时之前应履行何种职责", "Read who owes what by when")

WAIVE = AREA.scope(
    "duties:waive", "免予他人履行职责(两人)", "Waive what others owe, by two persons"
)

RULE_NAME: Final = r"^[A-Z]{2,4}-[0-9]{2}(\.[a-z_]{1,32})?$"
RuleName = Annotated[str, Field(max_length=40, pattern=RULE_NAME, examples=["VIS-01"])]
"""The obligation a rule mainly carries and, where it is owed in several ways, which of them: in
`rules.yaml`, in what is shown and asked for, and in what is announced.
"""
