"""The test carrier: a stateful stand-in for Twilio's REST API, and the phones of the people that it reaches."""
