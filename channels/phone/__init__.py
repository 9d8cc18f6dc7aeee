"""The phone: SIP signalling, a registrar for agents' softphones, and calls joined back to back."""
