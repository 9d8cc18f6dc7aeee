"""WeChat customer service (微信客服), WeCom's: its messages are pulled, not pushed."""
