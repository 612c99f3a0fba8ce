"""Commands as processes of their own, each forked from one that has loaded the program already:
loading it takes seconds, and a test has hundreds of them.

Reads a line of JSON for each: `arguments`, `environment`, `folder`, `room` (bytes that may be
written to a file), `output` (a file for what is printed), `input`. Answers a line: `code`, `out`,
`err`.
"""

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from app import cli, wiring
from app.cli import commands, running  # noqa: F401  what every command needs


def _become(asked: dict[str, Any], out: int, err: int) -> None:
    """Be the process of a command."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    os.dup2(os.open(asked["output"], os.O_WRONLY) if asked["output"] else out, 1)
    os.dup2(err, 2)
    told = tempfile.TemporaryFile()
    told.write(asked["input"].encode())
    told.seek(0)
    os.dup2(told.fileno(), 0)
    if asked["room"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["room"], asked["room"]))
    sys.argv = ["tonghu", *asked["arguments"]]
    cli.main()


def main() -> None:
    wiring.load()
    for line in sys.stdin:
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        pid = os.fork()
        if not pid:
            code = 70
            try:
                _become(json.loads(line), out.fileno(), err.fileno())
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
            except BaseException:  # noqa: BLE001  as Python itself ends
                sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
                code = 1
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            except OSError:
                code = code or 120
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        answer: dict[str, Any] = {"code": os.waitstatus_to_exitcode(status)}
        for name, file in (("out", out), ("err", err)):
            file.seek(0)
            answer[name] = file.read().decode()
            file.close()
        sys.__stdout__.write(json.dumps(answer) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    assert Path("app").is_dir()
    main()
