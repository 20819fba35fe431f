"""A server that ends when whoever started it is gone, even if that one was killed and could stop nothing."""

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Ends this process and all that it started as soon as standard input closes, whose other end the parent holds."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
