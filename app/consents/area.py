"""Grounds, notices and consents to the outside: chapter, scopes, and what a file leads to."""

from app.access.acts import Act
from app.children import acts as child
from app.core import areas

AREA = areas.area(
    "Consents",
    chapter=24,
    zh="依据什么收集儿童的信息、告知了谁、谁同意或撤回。",
    en="On what ground a child's data is collected, who was told, who consented or withdrew.",
    lane=areas.Lane.people,
)
READ = AREA.scope("consents:read", zh="读取告知和同意", en="Read who was told and who consented")
WRITE = AREA.scope(
    "consents:write", zh="记录告知、同意和撤回", en="Record what was told, consent and withdrawal"
)
for _name, _scope in (
    *(("recordNotice", WRITE), ("listChildNotices", READ)),
    *(("recordConsent", WRITE), ("listChildConsents", READ)),
):
    child.ACTS[_name] = Act(_scope.code)
