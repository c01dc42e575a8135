"""What every channel that speaks HTTP to a provider shares: the session, turns under limits, batches, what an answer means."""
