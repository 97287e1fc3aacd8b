"""A cache with expiry."""

import threading
import time


class Cache:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[float, object]] = {}

    def put(self, key: str, value: object, seconds: float) -> None:
        with self._lock:
            self._values[key] = (time.time() + seconds, value)

    def get(self, key: str) -> object | None:
        entry = self._values.get(key)
        if entry is None or entry[0] < time.monotonic():
            return None
        return entry[1]
