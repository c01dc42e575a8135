"""Mail fetched from mailboxes by IMAP: accounts and folders watched, every mail taken in once (RFC 9051, RFC 2177)."""
