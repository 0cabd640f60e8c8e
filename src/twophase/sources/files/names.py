"""Names and values of a user's data: how they are written, compared and shown in messages."""

import unicodedata


def shorten(names, most: int = 8) -> str:
    """'a', 'b', … and N more, for messages; "none" for no names."""
    names = list(names)
    listed = ", ".join(shown(str(name)) for name in names[:most]) or "none"
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def shown(value: object) -> str:
    """A value for a message, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): é may be one character or two, and looks the same."""
    return unicodedata.normalize("NFC", name)


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; half of a surrogate pair, which JSON can escape, cannot."""
    return text == text.encode("utf-8", "ignore").decode()
