"""The doors that mail servers hand mail in by: SMTP and LMTP on aiosmtpd. Read mail_door.py first."""
