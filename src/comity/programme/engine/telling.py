"""An explanation in words, line by line, for people who ask why."""

from collections.abc import Callable, Iterator

from comity.programme.engine.facts import Step, StepKind

_MINOR = "_minor"


def tell(step: Step, *, depth: int = 0) -> Iterator[str]:
    """Yield an explanation as lines of text, what is below a step indented by two spaces.

    >>> paid = {"amount_minor": 1234}
    >>> award = Step(kind=StepKind.AWARD, points=12, rule="base", inputs=paid, remainder=34, remainder_of=100)
    >>> list(tell(award))
    ['award base: 12 (amount_minor 1234; exactly 12 + 34/100)']
    """
    yield "  " * depth + tell_step(step)
    for each in step.steps:
        yield from tell(each, depth=depth + 1)


def tell_step(step: Step, *, tell_money: Callable[[int], str] | None = None) -> str:
    """Return one step in words, without those below it; `tell_money` says amounts, which are minor units otherwise."""
    name = " ".join(part for part in (step.kind.value, step.rule or _subject(step)) if part)
    said = [
        _say(key, value, tell_money) for key, value in step.inputs.items() if value != "" and not _is_subject(step, key)
    ]
    if step.remainder:
        sign = "+" if step.remainder > 0 else "-"
        said.append(f"exactly {_exact(step)} {sign} {abs(step.remainder)}/{step.remainder_of}")
    number = "" if step.kind in {StepKind.PURCHASE, StepKind.EXCLUSION, StepKind.SKIPPED} else f": {step.points}"
    return f"{name}{number} ({'; '.join(said)})" if said else f"{name}{number}"


def _say(key: str, value: object, tell_money: Callable[[int], str] | None) -> str:
    if tell_money is not None and isinstance(value, int) and key.endswith(_MINOR):
        return f"{key.removesuffix(_MINOR)} {tell_money(value)}"
    return f"{key} {value}"


def _subject(step: Step) -> str:
    return str(step.inputs.get("line", "")) if step.kind is StepKind.LINE else step.currency


def _exact(step: Step) -> str:
    return "the running total" if step.kind is StepKind.BONUS else str(step.points)


def _is_subject(step: Step, key: str) -> bool:
    return step.kind is StepKind.LINE and key == "line"
