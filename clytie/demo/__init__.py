"""The demo: a believable organisation, its contacts, and people who open, click and call back."""
