"""The error that every command knows: one sentence for the person at the keyboard, and no traceback."""


class UserError(Exception):
    """Something that the user can put right. The message is one whole sentence that says how."""
