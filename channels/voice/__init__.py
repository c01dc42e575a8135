"""Calls: what a caller hears as TwiML, placing and ending calls through Twilio, its reports and recordings."""
