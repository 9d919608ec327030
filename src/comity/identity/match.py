"""Match rules compiled for one-by-one use."""


class CompiledMatch:
    """Match rules in force, ready for use."""
