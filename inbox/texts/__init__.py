"""Short messages that arrived, what a provider reports of ours, and answers by SMS."""
