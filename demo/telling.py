"""How the demo speaks: a line per step, who did it first."""

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)

_COLOURS = {
    "school": "green",
    "phone": "cyan",
    "police": "blue",
    "township": "magenta",
    "education": "yellow",
    "worker": "red",
    "auditor": "white",
}


def tell(who: str, text: str) -> None:
    """Print one step."""
    out.print(f"  [{_COLOURS.get(who, 'white')}]{who:<10}[/] {text}")


def chapter(title: str) -> None:
    """Print the heading of a part of the story."""
    out.print(f"\n[bold]{title}[/]")
