"""IDLE (RFC 2177): the server tells of new mail by itself.

imapclient's own idle_check polls the socket and so misses lines that came together with the answer to IDLE and
wait in a buffer; and it takes an untagged line before that answer for an error. Here what is buffered is read
first. Whatever is odd ends the connection, which costs a reconnection and no mail.
"""

from __future__ import annotations

import select
import time
from typing import Final

from imapclient import IMAPClient

_NEWS: Final = "EXISTS"
#: times in a row that the socket may be readable without a line to read, before it counts as closed
_PATIENCE: Final = 20


def forget_news(client: IMAPClient) -> None:
    """What the server told so far is known; only what it tells from now on is news."""
    client._imap.untagged_responses.pop(_NEWS, None)


def wait_for_news(client: IMAPClient, seconds: float) -> bool:
    """Wait until the server tells of new mail, or for so many seconds. Raises IMAPClientError, OSError."""
    imap = client._imap
    if _NEWS in imap.untagged_responses:
        return True
    tag = imap._command("IDLE")
    while imap._get_response() is not None:  # None: the server says “+ idling”
        if imap.tagged_commands[tag]:
            raise IMAPClient.Error(f"IDLE was refused: {imap.tagged_commands.pop(tag)}")
    _listen(client, tag, time.monotonic() + seconds)
    if not imap.tagged_commands[tag]:
        imap.send(b"DONE\r\n")
    while not imap.tagged_commands[tag]:
        imap._get_response()
    client._checkok("IDLE", *imap.tagged_commands.pop(tag))
    return _NEWS in imap.untagged_responses


def _listen(client: IMAPClient, tag: bytes, deadline: float) -> None:
    """Read what the server tells until there is news, or the deadline."""
    imap, fruitless = client._imap, 0
    while True:
        fruitless = 0 if _read_lines(client) else fruitless + 1
        if "BYE" in imap.untagged_responses:
            raise IMAPClient.AbortError(f"the server said goodbye: {imap.untagged_responses['BYE'][0]!r}")
        if fruitless > _PATIENCE:
            raise IMAPClient.AbortError("the server closed the connection")
        left = deadline - time.monotonic()
        if _NEWS in imap.untagged_responses or imap.tagged_commands[tag] or left <= 0:
            return
        if not _wait_readable(client, left):
            return


def _read_lines(client: IMAPClient) -> int:
    """Read the lines that are here already, without waiting; how many they were."""
    connection, lines = client.socket(), 0
    connection.setblocking(False)
    try:
        while True:
            client._imap._get_response()
            lines += 1
    except IMAPClient.AbortError as error:
        if "EOF" not in str(error):  # imaplib's word for nothing to read, with or without an end
            raise
    except OSError:  # TLS: nothing to read
        pass
    finally:
        connection.settimeout(client._timeout.read)
    return lines


def _wait_readable(client: IMAPClient, seconds: float) -> bool:
    poller = select.poll()
    poller.register(client.socket().fileno(), select.POLLIN)
    return bool(poller.poll(seconds * 1000))
