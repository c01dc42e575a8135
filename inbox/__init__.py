"""What arrives: intake of raw bytes, quarantine, conversations, queues."""
