"""Letters: messages to one person, written by a person or a program of ours."""
