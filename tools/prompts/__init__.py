"""Makes the hotline's announcements, tones and hold music again (see README.md)."""
