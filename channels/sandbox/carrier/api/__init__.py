"""The provider's interface, as Twilio's OpenAPI description of api/v2010 has it; and the stand-in's own controls."""
