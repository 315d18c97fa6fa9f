"""What a destination makes of an event: messages for Discord, Slack and Telegram, templates, compressed bodies. Pure."""
