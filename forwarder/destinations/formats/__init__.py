"""Renders events as request bodies: messages for Discord, Slack and Telegram, templates, compressed bodies. Pure."""
