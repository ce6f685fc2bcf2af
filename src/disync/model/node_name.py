"""Names of what a solution makes: rules with `${variables}`, as `nodeNameRule` has them."""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 128
NODE_RULE = "oneclick_${ds_type_dest}_di_${db_table_name_src}_to_${db_table_name_dest}"
"""Where a solution has no rule of its own: the seed's."""

VARIABLES = frozenset(
    {
        *("ds_name_src", "db_name_src", "db_table_name_src", "db_name_src_transed", "db_table_name_src_transed"),
        *("ds_name_dest", "db_name_dest", "db_table_name_dest", "ds_type_src", "ds_type_dest", "solution_name"),
    }
)
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_UNFIT = re.compile(r"[^A-Za-z0-9_.\u4e00-\u9fff]+")


def unknown(rule: str) -> list[str]:
    """The variables of a rule that nothing fills."""
    return [name for name in dict.fromkeys(_VARIABLE.findall(rule)) if name not in VARIABLES]


def expand(rule: str, values: Mapping[str, str]) -> str:
    """The rule with its variables filled, as a name that a file may have: other characters become `_`."""
    return clean(_VARIABLE.sub(lambda found: values.get(found[1], ""), rule))


def clean(name: str) -> str:
    return _UNFIT.sub("_", name)[:LONGEST] or "_"


def another(name: str, number: int) -> str:
    """The name with a number behind it, for one that is taken."""
    tail = f"_{number}"
    return name[: LONGEST - len(tail)] + tail
