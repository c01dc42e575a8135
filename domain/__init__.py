"""The words of the house: events, messages, contacts, tasks, conditions, tokens. Standard library and pydantic only."""
