"""Whatever ends in the log of any process is a line of JSON, and quotes nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "120119200001011234"
HEAD = f"""
import asyncio, gc, logging, sys, threading
from app.core import logs
logs.configure()
def fault(): raise ValueError("{SECRET}")
async def raises(): fault()
"""
FAULTS = {
    "a process that ends by it": ("fault()", "uncaught"),
    "a thread": (
        "thread = threading.Thread(target=fault); thread.start(); thread.join()",
        "uncaught",
    ),
    "a task nobody waits for": (
        """
async def main():
    task = asyncio.create_task(raises())
    await asyncio.sleep(0); await asyncio.sleep(0)
    del task; gc.collect()
asyncio.run(main())
""",
        "Task exception was never retrieved",
    ),
    "tasks that run together": (
        """
async def main():
    async with asyncio.TaskGroup() as together: together.create_task(raises())
asyncio.run(main())
""",
        "uncaught",
    ),
    "a callback of the loop": (
        """
async def main():
    asyncio.get_running_loop().call_soon(fault); await asyncio.sleep(0)
asyncio.run(main())
""",
        "Exception in callback fault() at <string>:5",
    ),
    "what is thrown away": (
        """
class Thing:
    def __del__(self): fault()
Thing()
""",
        "unraisable",
    ),
    "a library": (f"logging.getLogger('x').error('%s is wrong', '{SECRET}')", "%s is wrong"),
}


@pytest.mark.parametrize("which", FAULTS)
def test_a_fault_is_told_by_its_class_and_place(which: str) -> None:
    source, event = FAULTS[which]
    ended = subprocess.run(
        [sys.executable, "-c", HEAD + source], capture_output=True, text=True, check=False
    )
    assert SECRET not in ended.stderr + ended.stdout
    [line] = [json.loads(each) for each in ended.stderr.splitlines()]
    assert line["event"] == event
    if which != "a library":
        assert (line["error"], line["place"].partition(" ")[2]) == ("ValueError", "fault")


def test_who_interrupts_it_is_told_as_ever() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HEAD + "raise KeyboardInterrupt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "KeyboardInterrupt" in ended.stderr.splitlines()[-1]
    assert not ended.stderr.startswith("{")


def test_a_worker_that_cannot_go_on_says_so_in_json(tmp_path: Path) -> None:
    """It logs as the web does, from its first line on."""
    source = """
import asyncio
from app import worker
from app.core.settings import Settings
def fault(): raise ValueError("secret")
worker.wiring.load = fault
asyncio.run(worker.run(Settings()))
"""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TONGHU_")}
    ended = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=False,
        env={**mine, "TONGHU_DATA_DIR": str(tmp_path)},
    )
    [line] = [json.loads(each) for each in ended.stderr.splitlines()]
    assert (line["event"], line["error"]) == ("uncaught", "ValueError")
