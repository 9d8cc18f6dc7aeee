"""Calls from citizens' pages: offer and answer over the page's own socket, sound by WebRTC, and no SIP."""
