"""Documents to be printed: one page of HTML that needs nothing beside it."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _templates(package: str) -> Environment:
    loader = PackageLoader(package, "printed")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def page(package: str, name: str, **values: Any) -> str:
    """Fill in a template of a package: `printed/NAME.html` in it."""
    return _templates(package).get_template(f"{name}.html").render(**values)
