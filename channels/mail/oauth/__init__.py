"""OAuth 2.0 for mail servers: access tokens for IMAP and SMTP instead of passwords (RFC 6749, RFC 8628, XOAUTH2)."""
