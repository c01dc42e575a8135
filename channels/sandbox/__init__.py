"""The test mailbox: real SMTP in and out, to an address on this machine instead of the world."""
