"""The command line: thin commands, each calls one function of a room."""
