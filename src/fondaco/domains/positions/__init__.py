"""Leveraged positions as people and programs ask for them: decimals and words in, commands to the desk, answers out."""
