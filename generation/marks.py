"""Texts that are data, made harmless for a prompt: no mark of a chat format, nothing that hides or turns letters.

What stands in a document may look like the turns of a conversation. Models read such marks as commands wherever they
stand, and tokenizers of remote servers make real control tokens of them. Citations quote the document as it is.
"""

from __future__ import annotations

import re
import unicodedata

# Zero-width, soft hyphen, directions, tags: they hide text, or split a mark so that no search finds it.
_HIDDEN = re.compile(
    "[\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Characters that NFKC makes of a letter or bracket of a mark: full-width forms, small forms, double brackets.
_FOLDED = {
    ord(char): plain
    for start, end in ((0xFE50, 0xFE6F), (0xFF01, 0xFF5E))
    for char in map(chr, range(start, end + 1))
    if (plain := unicodedata.normalize("NFKC", char)).isascii()
}
_FOLDED |= {0x2039: "<", 0x203A: ">", 0x27E8: "<", 0x27E9: ">", 0x3008: "<", 0x3009: ">", 0x2329: "<", 0x232A: ">"}
_FOLDED |= {0x00A6: "|", 0x2223: "|", 0x2502: "|", 0x23AE: "|", 0x01C0: "|"}
_ROLES = (
    r"system|user|assistant|bot|model|human|ai|tool|developer|instruction|response|input|система|пользователь|ассистент"
)
_MARKS = re.compile(
    r"<\s*/?\s*(?:s|bos|eos|pad|unk|system|user|assistant|human|bot|model|tool_call|think)\s*/?\s*>"  # <s>, </s>, <eos>
    r"|<\s*\|\s*/?\s*[\w -]{1,40}\s*\|\s*>"  # <|im_start|>, <|eot_id|>
    r"|\[\s*/?\s*(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\s*\]"  # Mistral's
    r"|<<\s*/?\s*SYS\s*>>"
    r"|<\s*/?\s*(?:start|end)_of_(?:turn|image)\s*>"  # Gemma's
    r"|\[\s*(?:SEP|CLS|MASK|PAD|EOS|BOS)\s*\]",
    re.IGNORECASE,
)
_FENCES = re.compile(r"<{2,}|>{2,}")
_HEADERS = re.compile(
    rf"^[ \t]*(?:#{{2,}}[ \t]*({_ROLES})\b[ \t]*:?|({_ROLES})[ \t]*(?::|$))", re.IGNORECASE | re.MULTILINE
)
_FENCE_MARKS = {"<": "‹", ">": "›"}


def harmless(text: str) -> str:
    """`text` without marks of chat formats and hidden characters; a line's role («user:») becomes a plain word.

    What is left cannot be put together to a new mark: taking out is repeated until nothing changes.
    """
    shown = _CONTROL.sub(" ", _HIDDEN.sub("", text.replace("\r\n", "\n")))
    folded = shown.translate(_FOLDED)
    if _MARKS.search(folded) or _HEADERS.search(folded):
        shown = folded
    while (less := _MARKS.sub("", shown)) != shown:
        shown = less
    shown = _HEADERS.sub(lambda header: f"{header[1] or header[2]} —", shown)
    return _FENCES.sub(lambda fence: "".join(_FENCE_MARKS[char] for char in fence.group()), shown)


def harmless_line(text: str) -> str:
    """The same for a name or a title, on one line, without the brackets that number passages."""
    return " ".join(harmless(" ".join(text.split())).translate({ord("["): "(", ord("]"): ")"}).split())
