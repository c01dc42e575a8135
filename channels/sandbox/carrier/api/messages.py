"""Messages and their media."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web

from channels.sandbox.carrier.api.asked import Asked, answer, answer_page
from channels.sandbox.carrier.messaging import Draft
from channels.sandbox.carrier.records import Media, Message
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import account_uri, show_date, show_media, show_message


async def create(asked: Asked) -> web.StreamResponse:
    """Send one."""
    draft = Draft(
        to=asked.field("To"),
        body=asked.field("Body"),
        sender=asked.field("From"),
        service_sid=asked.field("MessagingServiceSid"),
        media_urls=asked.fields("MediaUrl"),
        status_callback=asked.field("StatusCallback"),
        validity=int(asked.number("ValidityPeriod", 36000)),
        send_at=_read_schedule(asked),
    )
    return answer(show_message(asked.parts.messaging.accept(asked.account, draft), fresh=True), 201)


async def list_all(asked: Asked) -> web.StreamResponse:
    """The account's messages by To, From and DateSent, the newest first; what waits has no date of sending."""
    query, memory = asked.request.query, asked.parts.exchange.memory
    to, from_ = query.get("To"), query.get("From")
    wanted = to or from_
    if wanted:
        mine = [one for one in reversed(memory.messages_with(wanted)) if one.account_sid == asked.account.sid]
    else:
        mine = asked.own(memory.messages)
    messages = [
        message
        for message in mine
        if to in (None, message.to)
        and from_ in (None, message.from_)
        and asked.within("DateSent", message.sent_at)
    ]
    return answer_page(asked, "messages", messages, show_message)


async def fetch(asked: Asked) -> web.StreamResponse:
    """One message."""
    return answer(show_message(_find(asked)))


async def update(asked: Asked) -> web.StreamResponse:
    """Withdraw it, or empty its text."""
    message = _find(asked)
    if asked.field("Status") == "canceled":
        asked.parts.messaging.cancel(message)
    elif "Body" in asked.form and not asked.field("Body"):
        asked.parts.messaging.redact(message)
    else:
        raise Refusal(20001)
    return answer(show_message(message))


async def delete(asked: Asked) -> web.StreamResponse:
    """Forget it."""
    asked.parts.messaging.delete(_find(asked))
    return web.Response(status=204)


async def create_feedback(asked: Asked) -> web.StreamResponse:
    """Hear whether the recipient did what the message was for."""
    message, now = _find(asked), show_date(asked.parts.exchange.now())
    outcome = asked.field("Outcome", "confirmed")
    if outcome not in ("confirmed", "unconfirmed"):
        raise Refusal(20001)
    return answer(
        {
            "account_sid": message.account_sid,
            "message_sid": message.sid,
            "outcome": outcome,
            "date_created": now,
            "date_updated": now,
            "uri": account_uri(message.account_sid, f"/Messages/{message.sid}/Feedback.json"),
        }
    )


async def list_media(asked: Asked) -> web.StreamResponse:
    """The pictures and files of a message."""
    media = [one for one in reversed(_find(asked).media) if asked.within("DateCreated", one.created)]
    return answer_page(asked, "media_list", media, show_media)


async def fetch_media(asked: Asked) -> web.StreamResponse:
    """What is known of one."""
    return answer(show_media(_find_media(asked)))


async def fetch_content(asked: Asked) -> web.StreamResponse:
    """Its content: by way of another address, as the provider does it."""
    media = _find_media(asked)
    raise web.HTTPTemporaryRedirect(f"{asked.parts.exchange.url}/content/{media.sid}")


async def delete_media(asked: Asked) -> web.StreamResponse:
    """Forget one."""
    media = _find_media(asked)
    _find(asked).media.remove(media)
    del asked.parts.exchange.memory.media[media.sid]
    return web.Response(status=204)


def _find(asked: Asked) -> Message:
    return asked.find(asked.parts.exchange.memory.messages, asked.path("sid"))


def _find_media(asked: Asked) -> Media:
    return asked.find({media.sid: media for media in _find(asked).media}, asked.path("media"))


def _read_schedule(asked: Asked) -> datetime | None:
    if asked.field("ScheduleType") != "fixed":
        return None
    try:
        moment = datetime.fromisoformat(asked.field("SendAt"))
    except ValueError as error:
        raise Refusal(35114) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    now = asked.parts.exchange.now()
    earliest, latest = now + timedelta(seconds=300), now + timedelta(days=35)
    if not asked.field("MessagingServiceSid") or not earliest <= moment <= latest:
        raise Refusal(35114)
    return moment
