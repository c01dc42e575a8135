"""The doors that mails lead to: pixels, links, downloads, and the recipient's own page."""
