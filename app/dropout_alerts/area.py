"""Dropout alerts to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Dropout alerts",
    9,
    "从旷课到复学。",
    "From absence to return to school.",
    lane=areas.Lane.people,
)
READ = AREA.scope("dropout_alerts:read", "读取辍学预警", "Read dropout alerts")
WRITE = AREA.scope(
    "dropout_alerts:write",
    "以学校身份登记劝返、书面报告和复学",
    "Register persuasion, written reports and returns as the school",
)
DECIDE = AREA.scope(
    "dropout_alerts:decide",
    "签收书面报告并决定措施",
    "Acknowledge written reports and order measures",
)
