"""Records as the interface shows them: the provider's field names, dates by RFC 2822, addresses relative to its root."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from phonenumbers import NumberParseException, parse, region_code_for_number

from channels.sandbox.carrier.records import (
    API_VERSION,
    Account,
    Call,
    CallQueue,
    Conference,
    Media,
    Message,
    Number,
    Participant,
    Recording,
    Transcription,
)
from channels.sandbox.carrier.refusals import UNDELIVERED

Shape = dict[str, object]


def show_date(moment: datetime | None) -> str | None:
    """As RFC 2822 writes it, in UTC: `Sun, 22 Nov 2026 07:45:24 +0000`."""
    return format_datetime(moment) if moment is not None else None


def country_of(address: str) -> str:
    """The country of a number, as ISO 3166 writes it; empty for what is no number."""
    try:
        return region_code_for_number(parse(address)) or ""
    except NumberParseException:
        return ""


def account_uri(account_sid: str, rest: str = "") -> str:
    """The address of something of an account."""
    return f"/{API_VERSION}/Accounts/{account_sid}{rest}"


def show_account(account: Account) -> Shape:
    """An account, with its secret, as the provider shows it to whoever may."""
    names = (
        "Calls",
        "Messages",
        "Recordings",
        "IncomingPhoneNumbers",
        "Queues",
        "Conferences",
        "Transcriptions",
    )
    return {
        "sid": account.sid,
        "auth_token": account.auth_token,
        "friendly_name": account.friendly_name,
        "owner_account_sid": account.owner_sid,
        "status": account.status,
        "type": "Full",
        "date_created": show_date(account.created),
        "date_updated": show_date(account.updated),
        "subresource_uris": {name.lower(): account_uri(account.sid, f"/{name}.json") for name in names},
        "uri": account_uri(account.sid, ".json"),
    }


def show_number(number: Number) -> Shape:
    """A number of an account."""
    return {
        "sid": number.sid,
        "account_sid": number.account_sid,
        "phone_number": number.phone_number,
        "friendly_name": number.friendly_name,
        "api_version": API_VERSION,
        "beta": False,
        "origin": "twilio",
        "status": "in-use",
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "address_requirements": "none",
        "address_sid": None,
        "bundle_sid": None,
        "identity_sid": None,
        "trunk_sid": None,
        "emergency_status": "Inactive",
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "sms_application_sid": None,
        "sms_url": number.sms_url,
        "sms_method": number.sms_method,
        "sms_fallback_url": number.sms_fallback_url,
        "sms_fallback_method": number.sms_fallback_method,
        "voice_application_sid": None,
        "voice_caller_id_lookup": False,
        "voice_receive_mode": "voice",
        "voice_url": number.voice_url,
        "voice_method": number.voice_method,
        "voice_fallback_url": number.voice_fallback_url,
        "voice_fallback_method": number.voice_fallback_method,
        "status_callback": number.status_callback,
        "status_callback_method": number.status_callback_method,
        "date_created": show_date(number.created),
        "date_updated": show_date(number.updated),
        "uri": account_uri(number.account_sid, f"/IncomingPhoneNumbers/{number.sid}.json"),
    }


def show_message(message: Message, *, fresh: bool = False) -> Shape:
    """A message. `fresh`: as the answer to its creation shows it, before anything is known about it."""
    uri = account_uri(message.account_sid, f"/Messages/{message.sid}")
    return {
        "sid": message.sid,
        "account_sid": message.account_sid,
        "api_version": API_VERSION,
        "from": message.from_ or None,
        "to": message.to,
        "body": message.body,
        "direction": message.direction,
        "status": message.status,
        "num_segments": "0" if fresh and message.service_sid else str(message.segments),
        "num_media": str(len(message.media) or len(message.media_urls)),
        "messaging_service_sid": message.service_sid or None,
        "error_code": message.error_code,
        "error_message": UNDELIVERED.get(message.error_code) if message.error_code else None,
        "price": message.price,
        "price_unit": "USD",
        "date_created": show_date(message.created),
        "date_updated": show_date(message.updated),
        "date_sent": show_date(message.sent_at),
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "uri": f"{uri}.json",
    }


def show_media(media: Media) -> Shape:
    """What is known of a picture or file; its content lies at the same address without `.json`."""
    return {
        "sid": media.sid,
        "account_sid": media.account_sid,
        "parent_sid": media.message_sid,
        "content_type": media.content_type,
        "date_created": show_date(media.created),
        "date_updated": show_date(media.created),
        "uri": account_uri(media.account_sid, f"/Messages/{media.message_sid}/Media/{media.sid}.json"),
    }


def show_call(call: Call) -> Shape:
    """One leg of a call."""
    uri = account_uri(call.account_sid, f"/Calls/{call.sid}")
    return {
        "sid": call.sid,
        "account_sid": call.account_sid,
        "parent_call_sid": call.parent_sid or None,
        "phone_number_sid": call.number_sid or None,
        "api_version": API_VERSION,
        "from": call.from_,
        "from_formatted": call.from_,
        "to": call.to,
        "to_formatted": call.to,
        "status": "queued" if call.status == "initiated" else call.status,
        "direction": call.direction,
        "start_time": show_date(call.started),
        "end_time": show_date(call.ended),
        "duration": None if call.duration is None else str(call.duration),
        "price": call.price,
        "price_unit": "USD",
        "answered_by": call.answered_by or None,
        "forwarded_from": None,
        "caller_name": None,
        "group_sid": None,
        "trunk_sid": None,
        "queue_time": str(call.queue_seconds * 1000),
        "date_created": show_date(call.created),
        "date_updated": show_date(call.updated),
        "subresource_uris": {"recordings": f"{uri}/Recordings.json", "events": f"{uri}/Events.json"},
        "uri": f"{uri}.json",
    }


def show_recording(recording: Recording, *, of_call: bool = False) -> Shape:
    """A recording. `of_call`: as the list below its call shows it."""
    uri = account_uri(recording.account_sid, f"/Recordings/{recording.sid}")
    done = recording.status == "completed"
    shape: Shape = {
        "sid": recording.sid,
        "account_sid": recording.account_sid,
        "call_sid": recording.call_sid,
        "conference_sid": recording.conference_sid or None,
        "api_version": API_VERSION,
        "status": recording.status,
        "source": recording.source,
        "channels": recording.channels,
        "duration": str(recording.duration) if done else None,
        "start_time": show_date(recording.created),
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "encryption_details": None,
        "date_created": show_date(recording.created),
        "date_updated": show_date(recording.updated),
    }
    if of_call:
        return {**shape, "track": "both", "uri": account_uri(recording.account_sid, _below_call(recording))}
    links = {"transcriptions": f"{uri}/Transcriptions.json", "add_on_results": f"{uri}/AddOnResults.json"}
    return {**shape, "media_url": uri, "subresource_uris": links, "uri": f"{uri}.json"}


def _below_call(recording: Recording) -> str:
    return f"/Calls/{recording.call_sid}/Recordings/{recording.sid}.json"


def show_transcription(transcription: Transcription) -> Shape:
    """The text of a recording."""
    return {
        "sid": transcription.sid,
        "account_sid": transcription.account_sid,
        "recording_sid": transcription.recording_sid,
        "api_version": API_VERSION,
        "status": transcription.status,
        "transcription_text": transcription.text,
        "duration": str(transcription.duration),
        "type": "fast",
        "price": None,
        "price_unit": "USD",
        "date_created": show_date(transcription.created),
        "date_updated": show_date(transcription.updated),
        "uri": account_uri(transcription.account_sid, f"/Transcriptions/{transcription.sid}.json"),
    }


def show_queue(queue: CallQueue, now: datetime) -> Shape:
    """A queue and how long it is."""
    waits = [(now - moment).total_seconds() for moment in queue.since.values()]
    return {
        "sid": queue.sid,
        "account_sid": queue.account_sid,
        "friendly_name": queue.friendly_name,
        "current_size": len(queue.members),
        "max_size": queue.max_size,
        "average_wait_time": int(sum(waits) / len(waits)) if waits else 0,
        "date_created": show_date(queue.created),
        "date_updated": show_date(queue.updated),
        "uri": account_uri(queue.account_sid, f"/Queues/{queue.sid}.json"),
    }


def show_member(queue: CallQueue, call_sid: str, now: datetime) -> Shape:
    """A caller in a queue; the first has position 1."""
    since = queue.since.get(call_sid, now)
    return {
        "call_sid": call_sid,
        "queue_sid": queue.sid,
        "date_enqueued": show_date(since),
        "position": queue.members.index(call_sid) + 1 if call_sid in queue.members else 0,
        "wait_time": int((now - since).total_seconds()),
        "uri": account_uri(queue.account_sid, f"/Queues/{queue.sid}/Members/{call_sid}.json"),
    }


def show_conference(conference: Conference) -> Shape:
    """A conference."""
    uri = account_uri(conference.account_sid, f"/Conferences/{conference.sid}")
    shape: Shape = {
        "sid": conference.sid,
        "account_sid": conference.account_sid,
        "friendly_name": conference.friendly_name,
        "status": conference.status,
        "region": "us1",
        "api_version": API_VERSION,
        "call_sid_ending_conference": conference.ended_by or None,
        "date_created": show_date(conference.created),
        "date_updated": show_date(conference.updated),
        "subresource_uris": {
            "participants": f"{uri}/Participants.json",
            "recordings": f"{uri}/Recordings.json",
        },
        "uri": f"{uri}.json",
    }
    if conference.reason_ended:
        shape["reason_conference_ended"] = conference.reason_ended
    return shape


def show_participant(conference: Conference, participant: Participant) -> Shape:
    """A call in a conference."""
    return {
        "account_sid": conference.account_sid,
        "call_sid": participant.call_sid,
        "conference_sid": conference.sid,
        "label": participant.label or None,
        "muted": participant.muted,
        "hold": participant.hold,
        "coaching": False,
        "call_sid_to_coach": None,
        "start_conference_on_enter": participant.start_on_enter,
        "end_conference_on_exit": participant.end_on_exit,
        "status": "connected",
        "queue_time": None,
        "date_created": show_date(participant.joined),
        "date_updated": show_date(participant.joined),
        "uri": account_uri(
            conference.account_sid, f"/Conferences/{conference.sid}/Participants/{participant.call_sid}.json"
        ),
    }
