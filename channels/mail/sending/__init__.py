"""Mail on its way out: connections to relays, the dialogue with a server, what its replies mean."""
