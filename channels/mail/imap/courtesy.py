"""What is done in the mailbox once mails are safe here: mark as read, move, delete. Blocking; in the connection's thread."""

from __future__ import annotations

from collections.abc import Sequence

from imapclient import DELETED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientError

from channels.mail.imap.connection import folder_name
from channels.mail.imap.settings import After, FolderSettings


def be_courteous(client: IMAPClient, folder: FolderSettings, uids: Sequence[int]) -> str:
    """Do what the folder's settings say; what the server refused, in its words. Raises when the connection breaks."""
    if folder.after is After.KEEP or not uids:
        return ""
    if client._imap.is_readonly:  # some servers would say OK and do nothing
        return f"“{folder.after}” is not possible: the login may only read this folder"
    try:
        if folder.after is After.SEEN:
            client.add_flags(uids, [SEEN], silent=True)
        elif folder.after is After.MOVE:
            _move(client, uids, folder_name(client, folder.move_to))
        else:
            _delete(client, uids)
    except IMAPClient.AbortError:
        raise
    except IMAPClientError as error:
        return f"“{folder.after}” was refused: {error}"[:500]
    return ""


def _move(client: IMAPClient, uids: Sequence[int], target: str) -> None:
    if client.has_capability("MOVE"):
        client.move(uids, target)
    else:
        client.copy(uids, target)
        _delete(client, uids)


def _delete(client: IMAPClient, uids: Sequence[int]) -> None:
    """A plain EXPUNGE would also remove what somebody else marked: without UIDPLUS the mark has to do."""
    client.add_flags(uids, [DELETED], silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge(uids)
