"""The one exception that ends a command: its text is the line the operator reads."""


class Failure(Exception):
    """What went wrong and what to do about it, in one line without a trailing full stop."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))
