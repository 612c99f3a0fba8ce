"""Write openapi/v1.json from the code. A test fails while the two differ."""

import json
from pathlib import Path
from typing import Any

from app.main import document

PLACE = Path(__file__).resolve().parents[1] / "openapi" / "v1.json"


def text(found: dict[str, Any]) -> str:
    """Write the document the way it is committed."""
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(document()))
