"""Jobs and schedules: thin, each calls one function of a room below."""
