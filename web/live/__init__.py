"""Live updates: which parts of a page to fetch again."""
