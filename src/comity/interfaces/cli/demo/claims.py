"""Claims: what the demo says it shows, with the figure that was measured."""

import msgspec


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that has to hold."""

    name: str
    figure: str
    needed: str
    is_ok: bool


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How the demo went, for machines."""

    is_ok: bool
    seconds: float
    claims: list[Claim]
    figures: dict[str, float]
    failure: str | None = None
