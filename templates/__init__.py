"""The renderer, and the templates themselves: mail, sms, voice, console."""
