"""Aliyun's text message service (阿里云短信服务), by HTTP."""
