"""Dropout alerts to the outside: chapter and scopes."""

from app.core import areas

AREA = areas.area(
    "Dropout alerts", chapter=9, zh="从旷课到复学。", en="From absence to return to school."
)
READ = AREA.scope("dropout_alerts:read", zh="读取辍学预警", en="Read dropout alerts")
WRITE = AREA.scope(
    "dropout_alerts:write",
    zh="以学校身份登记劝返、书面报告和复学",
    en="Register persuasion, written reports and returns as the school",
)
DECIDE = AREA.scope(
    "dropout_alerts:decide",
    zh="签收书面报告并决定措施",
    en="Acknowledge written reports and order measures",
)
