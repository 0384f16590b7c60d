"""What keeps a broker from starting, for the person who started it."""


class StartError(Exception):
    """One sentence: what can't be had, and why."""
