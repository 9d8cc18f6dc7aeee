"""SIP as pure values and machines: no clock, no socket. One noun of the RFCs a file."""
