"""The embedded PostgreSQL and Valkey, started when no address of a server is set."""
