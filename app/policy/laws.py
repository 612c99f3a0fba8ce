"""The articles of law that are cited by id: `PIP-47` is article 47 of 个人信息保护法."""

from collections.abc import Mapping
from functools import cache

from pydantic import Field

from app.core import data_files
from app.core.data_files import DataFile, Part, Words


class Article(Part):
    """One article, and what of it bears on us in our own words."""

    id: str = Field(pattern=r"^[A-Z]{3}-[0-9]{2}$")
    law: Words
    article: int
    says: Words


@cache
def file() -> DataFile:
    """Read `laws.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/laws.yaml")


@cache
def articles() -> Mapping[str, Article]:
    """All articles by id. Raises BadDataFile."""
    return file().parts(Article, "id")


def cited(ids: tuple[str, ...]) -> list[str]:
    """Write articles as one cites them in Chinese."""
    found = [articles()[each] for each in ids]
    return [f"《{each.law.zh}》第{each.article}条" for each in found]
