"""Tables, migrations, unit of work, event store, blobs."""
