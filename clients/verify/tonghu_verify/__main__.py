"""python -m tonghu_verify EXPORT CHECKPOINT… --key KEY [--witness KEY …]."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tonghu_verify import export, notes
from tonghu_verify.notes import LOG, WITNESS, Bad, Checkpoint, Key


def main(arguments: Sequence[str] | None = None) -> int:
    """Check an export; return 0 if all of it is proved, 1 if something is not right."""
    asked = _asked(arguments)
    try:
        held = _held(asked)
        with Path(asked.export).open("rb") as lines:
            found = export.check(export.lines_of(lines), held)
        _require_cosigned(asked, found.by)
    except (Bad, OSError, UnicodeError) as error:
        _say(f"NOT RIGHT: {error}")
        return 1
    _say(f"RIGHT: leaves {found.begins} to {found.ends - 1} are whole, unchanged and in order.")
    for each in found.by:
        beside = f", cosigned by {', '.join(sorted(each.signers))}" if each.signers else ""
        _say(f"  {each.place}: size {each.size}{beside}{_before(each)}")
    for each in found.beside:
        _say(f"  {each.place}: size {each.size}, of which this export says nothing")
    return 0


def _say(line: str) -> None:
    """Print a line that stays one, whatever stood in a file that somebody else wrote."""
    shown = (each if each.isprintable() else ascii(each)[1:-1] for each in line)
    print("".join(shown))


def _before(checkpoint: Checkpoint) -> str:
    if checkpoint.continues is None:
        return ""
    log, size = checkpoint.continues
    return f"; its log goes on from {log} at size {size}: compare that with what you hold of it"


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tonghu_verify", description=__doc__)
    parser.add_argument("export", help="what `tonghu audit export` wrote")
    parser.add_argument("checkpoints", nargs="+", help="files, or folders of files, that you kept")
    parser.add_argument(
        "--key", action="append", required=True, help="the log's verifier key, or a file with it"
    )
    parser.add_argument(
        "--witness", action="append", default=[], help="a witness's verifier key, or a file with it"
    )
    parser.add_argument(
        "--cosigned",
        type=int,
        default=None,
        help="how many of them must have signed the largest checkpoint of these rows; else all",
    )
    return parser.parse_args(arguments)


def _held(asked: argparse.Namespace) -> list[Checkpoint]:
    log = [_key(each, LOG) for each in asked.key]
    witnesses = [_key(each, WITNESS) for each in asked.witness]
    held = [
        notes.checkpoint(_text(path), str(path), log, witnesses)
        for path in _files(asked.checkpoints)
    ]
    if not held:
        raise Bad("there is no checkpoint in what you named")
    return sorted(held, key=lambda each: each.size)


def _require_cosigned(asked: argparse.Namespace, by: Sequence[Checkpoint]) -> None:
    """Raise Bad unless enough witnesses say so too: of what proves these rows, for another that
    they signed proves nothing here.
    """
    wanted = len(asked.witness) if asked.cosigned is None else asked.cosigned
    last = max(by, key=lambda each: (each.size, len(each.signers)))
    if len(last.signers) < wanted:
        raise Bad(f"{last.place} is cosigned by {len(last.signers)} witnesses, not by {wanted}")


def _files(places: Sequence[str]) -> Iterator[Path]:
    for place in map(Path, places):
        if place.is_dir():
            yield from sorted(each for each in place.iterdir() if each.is_file())
        else:
            yield place


def _key(said: str, kind: int) -> Key:
    if "+" not in said:
        said = _text(Path(said))
    return Key.read(said, kind)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Bad(f"{path} is no text: neither a checkpoint nor a key") from None


if __name__ == "__main__":
    sys.exit(main())
