"""The WebSocket streams."""
