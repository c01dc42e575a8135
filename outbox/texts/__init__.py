"""Short messages on their way out: composed, held back at night, looked for when in doubt."""
