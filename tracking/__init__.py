"""Pixels, redirects, downloads, verdicts on hits, and the recorder."""
