"""
Argon2id, in a bounded pool of threads.

The database hands out a salt and the parameters for an email and never a hash; the raw output
computed here goes back to it to be compared. The workers of a server share its cores: at most one
computation a core runs at a time, or one a worker where they are more. Past a bounded queue further
ones are refused, so that a flood of logins costs the other requests neither their memory nor their
processor.
"""

import asyncio
import os
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import argon2
from argon2.low_level import hash_secret_raw

from api.problems import OVERLOADED, UNAVAILABLE, Problem

SALT_BYTES = 16
OUTPUT_BYTES = 32
QUEUE_PER_THREAD = 16
# What a login may be made to compute: the parameters come from a row that somebody registered.
MOST_KIB_TIMES_PASSES = 1_048_576
MOST_PASSES = 16
MOST_LANES = 16
UNUSABLE = "This password cannot be checked."
PARAMETERS = re.compile(r"m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The cost of Argon2id: memory in KiB, passes, lanes."""

    memory_kib: int
    passes: int
    lanes: int

    def __str__(self) -> str:
        return f"m={self.memory_kib},t={self.passes},p={self.lanes}"

    @classmethod
    def parse(cls, text: str) -> "Parameters":
        """
        Read "m=65536,t=3,p=4", as the database keeps it with each password.

        Errors: 503 when they are impossible, or would cost more than a login may.
        """
        match = PARAMETERS.fullmatch(text)
        if match is not None:
            found = cls(*map(int, match.groups()))
            if found.bearable:
                return found
        raise Problem(UNAVAILABLE, detail=UNUSABLE)

    @property
    def bearable(self) -> bool:
        """Whether Argon2id can be computed with these, in a time that one login may take."""
        return (
            1 <= self.passes <= MOST_PASSES
            and 1 <= self.lanes <= MOST_LANES
            and 8 * self.lanes <= self.memory_kib
            and self.memory_kib * self.passes <= MOST_KIB_TIMES_PASSES
        )


_LIBRARY = argon2.PasswordHasher()
DEFAULT = Parameters(_LIBRARY.memory_cost, _LIBRARY.time_cost, _LIBRARY.parallelism)


def new_salt() -> bytes:
    """A salt for a new password."""
    return secrets.token_bytes(SALT_BYTES)


def output(password: str, salt: bytes, parameters: Parameters) -> bytes:
    """The raw output of Argon2id, 32 bytes: a secret, as good as the password to the database."""
    return hash_secret_raw(
        secret=password.encode(),
        salt=salt,
        time_cost=parameters.passes,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.lanes,
        hash_len=OUTPUT_BYTES,
        type=argon2.Type.ID,
    )


class Passwords:
    """The threads that compute, and the bound on what waits for them."""

    def __init__(self, *, workers: int = 1) -> None:
        count = max(1, (os.cpu_count() or 1) // workers)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="argon2")
        self._limit = count * (1 + QUEUE_PER_THREAD)
        self._pending = 0

    async def output(self, password: str, salt: bytes, parameters: Parameters) -> bytes:
        """
        As the function `output`, without keeping the event loop from its work.

        Errors: 503 when too many computations are waiting already, or there is no memory for it.
        """
        if self._pending >= self._limit:
            raise Problem(OVERLOADED, detail="Too many passwords wait to be checked; try again.")
        self._pending += 1
        try:
            future = self._threads.submit(output, password, salt, parameters)
            return await asyncio.wrap_future(future)
        except argon2.exceptions.HashingError as error:
            raise Problem(OVERLOADED) from error
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Let the threads end; what still waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
