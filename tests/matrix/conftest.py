"""What the matrix shares."""

from typing import Any

import pytest

from tests.matrix.described import Operation, operations


@pytest.fixture(scope="session")
def described(document: dict[str, Any]) -> dict[str, Operation]:
    return operations(document)
