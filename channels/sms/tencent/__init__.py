"""Tencent Cloud's text message service (腾讯云短信), by HTTP."""
