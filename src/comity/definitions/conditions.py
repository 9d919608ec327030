"""The one language of every condition in the product: SQL boolean expressions over a published vocabulary.

Allowed: `= <> < <= > >=`, `is [not] distinct from`, `and or not`, `in`, `between`, `is [not] null`, `is [not] true`,
`like`, `ilike`, `lower`, `upper`, `length`, `coalesce`, `cardinality`, `extract(year|month|day from ...)`, dates plus
or minus intervals, one date minus another, `today` (or `current_date`), `'x' = any(tags)`, `@> <@ &&`. Nothing else
passes: the text is parsed, turned into a closed, typed tree, and written anew from the tree.
"""

from collections.abc import Mapping

from comity.definitions.condition_nodes import ValueType
from comity.definitions.condition_parser import parse
from comity.definitions.condition_sql import write_condition
from comity.definitions.types_attribute import AttributeType
from comity.definitions.types_condition import Column, Compiled, ConditionInvalid

__all__ = ["TODAY_PARAMETER", "Column", "Compiled", "ConditionInvalid", "compile_condition"]

TODAY_PARAMETER = "%(today)s::date"

_VALUE_TYPES = {
    AttributeType.TEXT: ValueType.TEXT,
    AttributeType.EMAIL: ValueType.TEXT,
    AttributeType.PHONE: ValueType.TEXT,
    AttributeType.DATE: ValueType.DATE,
    AttributeType.INTEGER: ValueType.NUMBER,
    AttributeType.MONEY: ValueType.NUMBER,
    AttributeType.BOOLEAN: ValueType.BOOLEAN,
    AttributeType.TIMESTAMP: ValueType.TIMESTAMP,
    AttributeType.TAGS: ValueType.TAGS,
}


def compile_condition(text: str, *, vocabulary: Mapping[str, Column], today: str = TODAY_PARAMETER) -> Compiled:
    """Compile a condition to one SQL expression over the SQL of the vocabulary.

    `today` is the SQL the current date stands for; by default the driver's parameter `today`, which the caller binds
    when `is_time_dependent` is true. The same text and vocabulary always give the same SQL. Raises ConditionInvalid.

    >>> from comity.definitions.types_attribute import AttributeType
    >>> words = {"country": Column(sql="g.country", type=AttributeType.TEXT)}
    >>> compile_condition("country = 'DE'", vocabulary=words).sql
    "(g.country = 'DE')"
    """
    parsed = parse(text, types={name: _VALUE_TYPES[column.type] for name, column in vocabulary.items()})
    sql = write_condition(
        parsed.tree, columns={name: vocabulary[name].sql for name in parsed.columns}, today=f"({today})"
    )
    return Compiled(sql=sql, columns=parsed.columns, is_time_dependent=parsed.is_time_dependent, tree=parsed.tree)
