"""Adapters to the world: one file per channel, nothing but the domain is known here."""
