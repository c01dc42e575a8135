"""How the bytes of a mail become its parts, names, dates and texts; `channels.mail.mime.parse` joins them."""
