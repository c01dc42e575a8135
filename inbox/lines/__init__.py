"""Calls that come in: lines as people write them, a caller's way through one, whose phones ring, messages and recordings."""
