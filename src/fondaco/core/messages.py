"""What commands, replies and events are made of.

On the wire and in the journal each is a MessagePack array: its tag, then its fields. So a struct may gain fields with
defaults at its end and nothing else, and tags never change.
"""

import msgspec


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False, tag_field="tag"):
    """Something said: it never changes."""


class Row(msgspec.Struct, array_like=True, gc=False, tag_field="tag"):
    """Something remembered, and told as it stands. It changes."""
