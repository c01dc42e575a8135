"""What leaves: one row per recipient, composing, marking, settling, suppression."""
