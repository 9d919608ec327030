"""Who leads where: the orchestration rules in force, for people who know the systems and not the hub."""

from comity.profile.types import Attribute, ProfileModel, Unit


def document(model: ProfileModel) -> str:
    """Write as Markdown which rule decides each attribute; those of a group are decided as one."""
    lines = ["# Who leads where", "", f"Orchestration rules, version {model.rules_version}.", ""]
    lines += ["| attribute | type | rule, the first whose condition holds |", "|---|---|---|"]
    attributes = {each.name: each for each in model.attributes}
    lines += [_line(unit, [attributes[name] for name in unit.members]) for unit in model.units]
    return "\n".join(lines) + "\n"


def _line(unit: Unit, members: list[Attribute]) -> str:
    named = ", ".join(f"`{each.name}`" for each in members)
    label = f"{named} (as one: {unit.name})" if len(members) > 1 else named
    types = ", ".join(dict.fromkeys(each.type.value for each in members))
    return f"| {label} | {types} | {'; else '.join(_cell(each.text) for each in unit.entries)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
