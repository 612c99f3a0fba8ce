"""Commands as processes of their own, each forked from one that has loaded the program already:
loading it takes seconds, and a test has hundreds of them.

Reads a line of JSON for each: `arguments`, `environment`, `folder`, `room` (bytes that may be
written to a file), `output` (a file for what is printed). Answers a line: `code`, `out`, `err`. Who
does not end is ended.
"""

import fcntl
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from app import cli, wiring
from app.cli import commands, running  # noqa: F401  what every command needs

_SECONDS = 60
_PIPE = 1 << 20
"""What a command may print before it is read."""


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE)
    return ends


def _become(asked: dict[str, Any], out: int, err: int) -> NoReturn:
    """Be the process of a command."""
    signal.alarm(_SECONDS)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(asked["output"], os.O_WRONLY) if asked["output"] else out, 1)
    os.dup2(err, 2)
    if asked["room"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["room"], asked["room"]))
    sys.argv = ["tonghu", *asked["arguments"]]
    code: object = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  as Python itself ends
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 120
    os._exit(code if isinstance(code, int) else bool(code))


def _read(end: int) -> str:
    with os.fdopen(end) as said:
        return said.read()


def main() -> None:
    wiring.load()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        out, err = _pipe(), _pipe()
        pid = os.fork()
        if not pid:
            _become(json.loads(line), out[1], err[1])
        os.close(out[1])
        os.close(err[1])
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        said = {"code": code, "out": _read(out[0]), "err": _read(err[0])}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
