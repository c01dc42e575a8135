"""Calls both ways: placing one for a person of ours, what happens on a line of ours, what the provider reports."""
