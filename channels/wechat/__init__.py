"""The WeChat official account (微信公众号): its webhook, its customer-service messages, its send budget."""
