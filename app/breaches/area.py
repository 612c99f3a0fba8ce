"""Breaches to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Breaches",
    chapter=26,
    zh="信息泄露、篡改、丢失:何时发现、采取了什么措施、何时告知了谁。",
    en="Data leaked, altered or lost: when it was found, what was done, who was told when.",
    lane=areas.Lane.people,
)
# No child stands in the register: how many, not who.
READ = AREA.scope(
    "breaches:read", zh="读取信息安全事件", en="Read breaches of your region", personal=False
)
WRITE = AREA.scope(
    "breaches:write", zh="登记信息安全事件", en="Record breaches and who was told", personal=False
)
