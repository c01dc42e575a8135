"""Mails that arrived: understood, decided upon, stored with what follows from them."""
