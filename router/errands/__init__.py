"""How errands of rules are done, one file per action: see router/performing.py, which calls them."""
