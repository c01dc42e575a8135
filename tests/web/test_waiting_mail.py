"""What waits for a limit is shown with its reason, on the campaign's page and in its report."""

from __future__ import annotations

from storage.pool import Pool
from tests.outbox.stock import stock_campaign
from tests.web.house import House
from tests.web.world import build_world


async def test_a_campaign_shows_why_its_messages_wait(house: House, pool: Pool) -> None:
    await build_world(pool)
    campaign_id = await stock_campaign(pool, 5, name="Slow")
    await pool.execute(
        "UPDATE deliveries SET reason = 'warming_up', not_before = now() + interval '1 hour' WHERE campaign_id = $1",
        campaign_id,
    )
    visitor = house.visitor()
    await visitor.sign_in("marketer@helianthe.example")
    page = await visitor.get(f"/campaigns/{campaign_id}")
    assert "5 waiting:" in page.text
    assert "warm-up plan" in page.text
    _, report = await visitor.call("GET", f"/campaigns/{campaign_id}/report")
    assert report["reasons"] == {"queued": {"warming_up": 5}}
    assert report["deliveries"]["queued"] == 5
