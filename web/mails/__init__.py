"""Mails of strangers, made fit to be looked at."""
