"""Make text that anybody may have written harmless wherever it is shown.

A reason quotes the application's log and a person's words; a chat takes some of that
for a mention of everybody, a link with another name, or an end of the line.
"""

from __future__ import annotations

import re
import unicodedata

#: Between two characters that would mean something together; nobody sees it.
_BREAK = "\u200b"
# All but the line break and the tab: controls, and what turns the direction of text or hides in it (Cf).
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Some chats call everybody from within a word, too; anybody else is called at a word's beginning only.
_EVERYBODY = re.compile(r"@(?=(?:everyone|here|channel|all|room|team|group)\b)", re.IGNORECASE)
_SOMEBODY = re.compile(r"(?<![\w.])@(?=\w)")
_MARKED = re.compile(r"<(?=[@!#&/a-zA-Z])")
_LINK = re.compile(r"\](?=\()")
_CUT = " ... "


def line(text: object, most: int) -> str:
    """Return it as one line of at most so many characters."""
    return shortened(" ".join(_visible(str(text)).split()), most)


def lines(text: object, most: int) -> str:
    """Return it with its line breaks, the middle left out when it is longer than so many characters."""
    kept = [one.rstrip() for one in _visible(str(text)).split("\n")]
    return shortened("\n".join(one for one in kept if one), most)


def harmless(text: str) -> str:
    """Return a text in which nothing is a mention, a link under another name, or a tag."""
    for pattern in (_EVERYBODY, _SOMEBODY, _MARKED, _LINK):
        text = pattern.sub(lambda found: found[0] + _BREAK, text)
    return text


def shortened(text: str, most: int) -> str:
    """Leave the middle out: what happened stands at the beginning, the last words of a log at the end."""
    if len(text) <= most:
        return text
    head = (most - len(_CUT)) * 2 // 5
    return text[:head].rstrip() + _CUT + text[len(text) - (most - len(_CUT) - head) :].lstrip()


def _visible(text: str) -> str:
    """Replace what cannot be seen; a colour that a log sets is left with its visible part."""
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(one if one == "\n" or unicodedata.category(one) not in _HIDDEN else " " for one in text)
