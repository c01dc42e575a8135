"""The action `note`: words on the contact's timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from router.then.base import LONGEST_NOTE, Order, Template, Written


class Note(Order):
    """Write a note on the contact's timeline."""

    text: str = Field(
        min_length=1, max_length=LONGEST_NOTE, description="the note, with fields: {contact.name}"
    )

    def templates(self) -> Mapping[str, Template]:
        """The note."""
        return {"text": Template(self.text)}


class NoteAction(Written):
    """The action `note`; a plain text will do."""

    note: Annotated[Note, BeforeValidator(lambda value: {"text": value} if isinstance(value, str) else value)]
