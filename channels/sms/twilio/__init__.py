"""Twilio, by HTTP. Not in mainland China, where it has no way in and bars addresses in texts."""
