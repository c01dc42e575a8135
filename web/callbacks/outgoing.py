"""The provider's requests about calls that we place, and its reports about the legs of all calls."""

from __future__ import annotations

from functools import partial

from channels.base import CallbackRequest
from channels.voice.callbacks import read_call, read_dial_ended, read_gathered, read_leg
from domain.calls import CallPart, Document
from inbox.calls.bridging import connect, end_talk, give_notice, meet_our_person
from inbox.calls.reports import read_end, take_leg_report
from inbox.calls.switchboard import Switchboard
from web.callbacks.voice_door import VoiceDoor


def add_outgoing_routes(door: VoiceDoor, board: Switchboard) -> None:
    """Mount them."""
    door.add("bridge", partial(_bridge, board))
    door.add("connect", partial(_connect, board))
    door.add("talked", partial(_end_talk, board))
    door.add("notice", partial(_give_notice, board))
    for part in CallPart:
        door.add(f"status/{part.value}", partial(_take_report, board, part))


async def _bridge(board: Switchboard, message_id: int, asked: CallbackRequest) -> Document:
    return await meet_our_person(board, message_id, read_call(asked.body).provider_id)


async def _connect(board: Switchboard, message_id: int, asked: CallbackRequest) -> Document:
    told = read_gathered(asked.body)
    return await connect(board, message_id, told.call.provider_id, told.keys)


async def _give_notice(board: Switchboard, message_id: int, asked: CallbackRequest) -> Document:
    return await give_notice(board, message_id)


async def _end_talk(board: Switchboard, message_id: int, asked: CallbackRequest) -> Document:
    told = read_dial_ended(asked.body)
    return await end_talk(board, message_id, told.call.provider_id, read_end(board, told))


async def _take_report(board: Switchboard, part: CallPart, message_id: int, asked: CallbackRequest) -> None:
    report = read_leg(asked.body)
    if report is not None:
        await take_leg_report(board, message_id, part, report)
