"""Ends a server when its parent process is gone, even if the parent was killed and could not stop anything."""

import os
import signal
import sys
import threading


def exit_with_parent() -> None:
    """Ends this process group as soon as standard input closes. The parent holds the other end of it."""

    def wait_for_parent() -> None:
        sys.stdin.buffer.read()
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=wait_for_parent, daemon=True).start()
