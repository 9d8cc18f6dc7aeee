"""`yihao demo`: a city that comes alive around a running gateway. Its people are outside, with telephones and pages.

No event is made up: callers dial by SIP and speak by RTP, citizens write by the page's own socket; agents log in,
accept, answer, and pick up registered telephones.
"""
