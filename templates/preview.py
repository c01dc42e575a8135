"""Tries a template on sample contacts, in a process of its own that can be killed.

jinja2's sandbox stops access, not endless loops; so nothing that a marketer writes is run in a server before it
has been run here. The process gets no environment, a limit of time and a limit of memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from domain.errors import InvalidInput
from templates.context import CampaignContext, FieldUse, Refusal
from templates.measured import Link
from templates.source import MailTemplate

SECONDS: Final = 5.0
MEGABYTES: Final = 512
_ROOT: Final = Path(__file__).resolve().parents[1]
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from templates.trial import run; run()"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as one sample contact would read it. `size`: octets on the wire, with everything measured."""

    subject: str
    html: str
    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying a template.

    `rendered` has one entry per sample contact, None where the contact cannot be written to; `refusals` says why,
    by the contact's place among the samples.
    """

    rendered: tuple[Rendered | None, ...]
    refusals: tuple[tuple[int, Refusal], ...]
    links: tuple[Link, ...]
    assets: tuple[str, ...]
    warnings: tuple[str, ...]
    required_fields: frozenset[str]
    uses: tuple[FieldUse, ...]


def preview(
    source: MailTemplate,
    campaign: CampaignContext,
    contacts: Sequence[Mapping[str, Any]],
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
) -> Trial:
    """Render a template for some contacts. Blocks for up to `seconds`: call it in a thread.

    Raises InvalidInput (its `field` names part and line) when the template is wrong whoever reads it: a syntax
    error, an unknown variable, no end, too much memory. What is wrong for a contact only is in `refusals`.
    """
    order = {
        "source": source.model_dump(),
        "campaign": asdict(campaign) | {"sender": dict(campaign.sender)} | _known(campaign),
        "contacts": [dict(contact) for contact in contacts],
        "seconds": seconds,
        "megabytes": megabytes,
    }
    answer = _ask(json.dumps(order, default=str).encode(), seconds)
    if problem := answer.get("problem"):
        raise InvalidInput(problem["field"], problem["problem"], problem["remedy"])
    return Trial(
        rendered=tuple(one and Rendered(**one) for one in answer["rendered"]),
        refusals=tuple((place, Refusal(*refusal)) for place, refusal in answer["refusals"]),
        links=tuple(Link(**link) for link in answer["links"]),
        assets=tuple(answer["assets"]),
        warnings=tuple(answer["warnings"]),
        required_fields=frozenset(answer["required_fields"]),
        uses=tuple(FieldUse(*use) for use in answer["uses"]),
    )


def check(
    source: MailTemplate,
    campaign: CampaignContext,
    contacts: Sequence[Mapping[str, Any]],
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
) -> Trial:
    """Like `preview`, but also raises InvalidInput when any of the contacts could not be written to.

    The error names the field, the line that prints it, how many of the contacts lack it and who is the first.
    """
    trial = preview(source, campaign, contacts, seconds=seconds, megabytes=megabytes)
    if not trial.refusals:
        return trial
    place, refusal = trial.refusals[0]
    count = sum(other.field == refusal.field for _, other in trial.refusals)
    contact = contacts[place]
    who = contact.get("email") or contact.get("name") or f"contact {place + 1}"
    use = next((use for use in trial.uses if use.name == refusal.field), None)
    if use is None:
        raise InvalidInput(
            refusal.field, f"{refusal.problem} This concerns {_share(count, contacts)}, first {who}."
        )
    raise InvalidInput(
        f"{use.part}, line {use.line}",
        f"{use.name} is empty for {_share(count, contacts)}, first {who}.",
        f"Write {{{{ {use.name}|default('…') }}}} to say what stands in for it.",
    )


def _share(count: int, contacts: Sequence[object]) -> str:
    return f"{count} of {len(contacts)} contacts"


def _known(campaign: CampaignContext) -> dict[str, list[str] | None]:
    return {
        name: None if (known := getattr(campaign, name)) is None else sorted(known)
        for name in ("fields", "assets")
    }


def _ask(order: bytes, seconds: float) -> dict[str, Any]:
    """Run the trial. The alarm inside it names the line; this limit holds even where no alarm is heard."""
    command = [sys.executable, "-I", "-c", _START, str(_ROOT)]
    try:
        done = subprocess.run(
            command, input=order, capture_output=True, timeout=seconds + 2, env={}, check=False
        )
    except subprocess.TimeoutExpired:
        raise InvalidInput(
            "template",
            f"it did not come to an end within {seconds:g} s.",
            "Look for a loop that is too long.",
        ) from None
    if done.returncode or not done.stdout:
        raise InvalidInput(
            "template", "it needs more memory or time than a mail may take.", "Make it shorter."
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
