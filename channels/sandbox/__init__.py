"""The test mailbox: a channel whose mails stay in the house and show in the console."""
