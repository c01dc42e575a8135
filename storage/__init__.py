"""The record of truth: tables, migrations, unit of work, event store and blobs on PostgreSQL."""
