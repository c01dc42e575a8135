"""Pages of lists, by key: what a request asks for, and what the answer says about the next page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from web.console.visit import read_number


class PageQuery(BaseModel):
    """How much of a list, and from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="The most entries of a page.")
    after: str | None = Field(None, max_length=500, description="`next` of the page before.")


def after_id(query: PageQuery) -> int | None:
    """The id that a page goes on from. Raises InvalidInput."""
    return read_number(query.after, "after") if query.after else None


def next_id(ids: list[int], limit: int) -> str | None:
    """`next`, when one more than a page was found."""
    return str(ids[limit - 1]) if len(ids) > limit else None
