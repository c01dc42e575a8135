"""The page about the carrier says what the code does."""

from __future__ import annotations

from pathlib import Path

from channels.sandbox.carrier.mischief import MEANINGS, Trick
from channels.sandbox.carrier.reference import write_reference
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings, ServiceSettings


def test_the_page_is_written_from_the_code() -> None:
    page = Path(__file__).parents[3] / "docs" / "test-carrier.md"
    assert page.read_text() == write_reference(), (
        "run: python -m channels.sandbox.carrier.reference > docs/test-carrier.md"
    )


def test_every_trick_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Trick)


def test_every_setting_has_a_description() -> None:
    for model in (CarrierSettings, NumberSettings, ServiceSettings):
        assert all(field.description for field in model.model_fields.values())
