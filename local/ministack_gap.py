"""What says that a gap of ministack is closed."""


class GapClosed(Exception):
    """ministack has changed: a correction is no longer needed, or no longer works."""
