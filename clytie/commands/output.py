"""What commands print: sentences on standard output, complaints on standard error."""

from __future__ import annotations

from rich.console import Console

_out = Console(highlight=False, soft_wrap=True)
_error = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line as it is."""
    _out.print(text, markup=False)


def complain(text: str) -> None:
    """Print what went wrong, marked as such."""
    _error.print("Error:", style="bold red", end=" ")
    _error.print(text, markup=False)


def out() -> Console:
    """The console for tables and progress bars."""
    return _out
