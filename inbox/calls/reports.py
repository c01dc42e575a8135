"""What the provider reports about a leg of a call, kept in any order and any number."""

from __future__ import annotations

from channels.voice.callbacks import DialEnded, LegReport
from domain.calls import CallPart
from inbox.calls.keeping import hold_call, is_outgoing, keep_news, settle_call
from inbox.calls.legs import Leg
from inbox.calls.switchboard import Switchboard
from storage.unit_of_work import unit_of_work


async def take_leg_report(board: Switchboard, message_id: int, part: CallPart, report: LegReport) -> None:
    """Keep how a leg stands; a call of ours moves with it. Raises NotFound."""
    news = read_news(board, part, report)
    number = report.called.shown if report.outbound else report.caller.shown
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        user_id = call["user_id"] if part is CallPart.US and is_outgoing(call) else None
        await keep_news(work.connection, message_id, news, number=number, user_id=user_id)
        if is_outgoing(call):
            await settle_call(board, work, call)


def read_news(board: Switchboard, part: CallPart, report: LegReport) -> Leg:
    """A report as the legs of a call are joined with it."""
    at = board.business_time(report.at) or board.clock.now()
    return Leg(
        report.provider_id,
        part,
        report.status,
        answered_at=at if report.status == "in-progress" else None,
        ended_at=at if report.is_end else None,
        seconds=report.seconds,
        sequence=-1 if report.sequence is None else report.sequence,
    )


def read_end(board: Switchboard, told: DialEnded) -> Leg | None:
    """What the result of ringing the contact tells of their leg; None when it names none."""
    if not told.leg_id:
        return None
    seconds = told.seconds if told.status == "completed" else None
    return Leg(told.leg_id, CallPart.THEM, told.status, ended_at=board.clock.now(), seconds=seconds)
