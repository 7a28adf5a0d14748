"""What a command tells its operator: lines of progress, and the one that ends it."""

from collections.abc import Callable

Say = Callable[[str], None]


def say_nothing(_line: str) -> None:
    """For callers without a terminal."""


class Failure(Exception):
    """What went wrong and what to do about it, in one line without a trailing full stop."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))
