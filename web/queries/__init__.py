"""What pages and the API read: SQL in named constants, and the shapes it gives."""
