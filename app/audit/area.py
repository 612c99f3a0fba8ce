"""Audit to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Audit", chapter=13, zh="谁因何查看或变更了什么。", en="Who saw or changed what, and why."
)
READ = AREA.scope("audit:read", zh="读取谁查看或变更了什么", en="Read who saw or changed what")
