"""Names are hostile input: what a file name, a label or a path looks like before it is shown anywhere."""

from __future__ import annotations

import unicodedata
from typing import SupportsInt

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(value: object) -> str:
    """`value` as visible text: control, format and surrogate characters become escapes such as ``\\x07`` or ``\\u202e``.

    Markup is left as it is: whoever writes HTML escapes it there.
    """
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") else _escape(c) for c in str(value))


def pictured(value: object, most: int = 60) -> str:
    """`value` as matplotlib draws it letter by letter: a dollar sign begins no formula there; cut after `most` letters."""
    text = plain(value)
    return (text if len(text) <= most else text[: most - 1] + "…").replace("$", r"\$")


def counted(count: SupportsInt, noun: str) -> str:
    """``"1 identity"``, ``"3 identities"``: a whole number with its noun, which is given in the singular."""
    number = int(count)
    plural = noun[:-1] + "ies" if noun.endswith("ty") else noun + ("es" if noun.endswith("ch") else "s")
    return f"{number} {noun if number == 1 else plural}"


def storable(value: object) -> object:
    """Text that UTF-8 can hold: a file name that was no UTF-8 keeps its odd bytes as escapes; anything else unchanged."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def spreadsheet(value: object) -> object:
    """Text that a spreadsheet shows and does not run: a leading ``=``, ``+``, ``-`` or ``@`` gets an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return "'" + text if value.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
