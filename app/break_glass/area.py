"""Break-glass to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Break-glass",
    18,
    "紧急查阅:为一名儿童、限时、事后必须复核。",
    "A file opened in an emergency: one child, some minutes, reviewed afterwards.",
    lane=areas.Lane.people,
)
OPEN = AREA.scope(
    "break_glass:open",
    "紧急情况下限时查阅一名儿童的档案",
    "Open one child's file in an emergency, for some minutes",
)
READ = AREA.scope(
    "break_glass:read",
    "查看谁紧急查阅过档案",
    "Read who opened files in an emergency",
)
REVIEW = AREA.scope(
    "break_glass:review",
    "复核紧急查阅是否正当",
    "Review whether a file was opened in an emergency properly",
)
