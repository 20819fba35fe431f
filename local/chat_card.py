"""A custom notification as Amazon Q Developer in chat applications shows it, simplified for a terminal.

The schema: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import html
import re
import textwrap
from typing import Any

LINK = re.compile(r"<(https?://[^|>\s]+)\|([^>]*)>")
BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


class NotShown(Exception):
    """The card does not follow the schema. Amazon Q drops such a card silently."""


def rendered(card: dict[str, Any], width: int) -> str:
    """Draws the card with lines."""
    if (card.get("version"), card.get("source")) != ("1.0", "custom"):
        raise NotShown(f"version is {card.get('version')!r} and source is {card.get('source')!r}")
    content, metadata = card["content"], card.get("metadata", {})
    if content.get("textType", "client-markdown") != "client-markdown" or not content.get("description"):
        raise NotShown("the content is not a text with a description")
    lines = [content["title"], ""] if "title" in content else []
    lines += content["description"].splitlines()
    if steps := content.get("nextSteps"):
        lines += ["", "Next steps", *(f"- {step}" for step in steps)]
    if keywords := content.get("keywords"):
        lines += ["", "Keywords: " + ", ".join(keywords)]
    drawn = "\n".join(f"│ {part}" for line in lines for part in _wrapped(_shown(line), width - 2))
    thread = f" thread {metadata['threadId']} " if "threadId" in metadata else ""
    return f"┌─{thread:─<{width - 2}}\n{drawn}\n└{'─' * (width - 1)}"


def _shown(text: str) -> str:
    """Returns text as a client shows it: bold without marks, a link as name and address, `&lt;` as `<`."""
    parts = CODE.split(text)
    parts[::2] = [LINK.sub(r"\2 (\1)", BOLD.sub(r"\1", part)) for part in parts[::2]]
    return html.unescape("".join(parts))


def _wrapped(line: str, width: int) -> list[str]:
    hanging = "  " if line.startswith("- ") else ""
    return textwrap.wrap(line, width, subsequent_indent=hanging, break_on_hyphens=False, break_long_words=False) or [""]
