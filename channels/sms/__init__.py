"""Short messages: what a text costs, what a number is, what a keyword means, and the providers that carry them."""
