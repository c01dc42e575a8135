"""What providers call, one file per kind of thing: answered when it is committed, not before."""
