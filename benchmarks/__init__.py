"""What the performance figures are measured with: each module compares ours with a yardstick in the same run."""
