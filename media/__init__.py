"""Audio in this process, behind `session.audio.Audio`: RTP, SDP, G.711, digits, prompts and music."""
