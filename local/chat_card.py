"""A custom notification as Amazon Q Developer in chat applications shows it: enough of it to read in a terminal.

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
    """Amazon Q drops what does not follow its schema, without a word to the sender."""


def rendered(card: dict[str, Any], width: int) -> str:
    """The card, drawn in lines."""
    if (card.get("version"), card.get("source")) != ("1.0", "custom"):
        raise NotShown(f"version is {card.get('version')!r} and source is {card.get('source')!r}")
    content, metadata = card["content"], card.get("metadata", {})
    if content.get("textType", "client-markdown") != "client-markdown" or not content.get("description"):
        raise NotShown("the content is no text with a description")
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
    """Text as a client shows it: no marks for bold, a link by its name and address, `&lt;` as `<`."""
    parts = CODE.split(text)
    parts[::2] = [LINK.sub(r"\2 (\1)", BOLD.sub(r"\1", part)) for part in parts[::2]]
    return html.unescape("".join(parts))


def _wrapped(line: str, width: int) -> list[str]:
    hanging = "  " if line.startswith("- ") else ""
    return textwrap.wrap(
        line, width, subsequent_indent=hanging, break_on_hyphens=False, break_long_words=False
    ) or [""]
