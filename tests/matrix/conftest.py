"""What the matrix shares."""

import pytest
from fastapi import FastAPI

from app.api import openapi
from tests.matrix.described import Operation, operations


@pytest.fixture(scope="session")
def described(app: FastAPI) -> dict[str, Operation]:
    return operations(openapi.document(app))
