"""Persons and organisations: identities, consent, import, merge, segments, timeline, erasure."""
