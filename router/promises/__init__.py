"""What queues promise: an answer and an end within a time, warnings before, and what happens when it has passed."""
