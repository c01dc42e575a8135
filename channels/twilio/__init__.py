"""What short messages and calls share at Twilio: the account, its client, its signatures, its files."""
