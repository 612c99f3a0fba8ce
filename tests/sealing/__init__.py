"""The offline verifier is another project's: it lies in a folder of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "verify"))
