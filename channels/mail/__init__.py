"""Mail: out over SMTP (smtp.py is the channel); everything about the protocol sits beside it."""
