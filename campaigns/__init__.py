"""Audience, composition, schedule, launch and report of campaigns."""
