"""Write openapi/v1.json from the code. A test fails while the two differ."""

import json
from pathlib import Path

from app.main import document

PLACE = Path(__file__).resolve().parents[1] / "openapi" / "v1.json"


def text() -> str:
    """Write the document the way it is committed."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text())
