"""What people and machines see over HTTP: console, REST API, tracking endpoints, provider callbacks, preference centre."""
