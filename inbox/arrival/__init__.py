"""What comes in at any door: its bytes are kept before anybody understands them, and quarantined if nobody can."""
