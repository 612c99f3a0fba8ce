"""`make run`: migrate, then web, worker and sealer, one of each; when one ends, so do all."""

import signal
import subprocess
import sys
from pathlib import Path

TONGHU = str(Path(sys.executable).with_name("tonghu"))


def main() -> None:
    if failed := subprocess.run([TONGHU, "migrate"], check=False).returncode:
        sys.exit(failed)
    parts = [
        subprocess.Popen([TONGHU, *arguments])
        for arguments in (["serve", *sys.argv[1:]], ["worker"], ["sealer"])
    ]

    def stop(*_: object) -> None:
        for part in parts:
            part.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while all(part.poll() is None for part in parts):
        try:
            parts[0].wait(0.5)
        except subprocess.TimeoutExpired:
            continue
    stop()
    sys.exit(max(part.wait() for part in parts))


if __name__ == "__main__":
    main()
