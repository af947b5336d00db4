"""How the two languages of the contract stand together."""

from __future__ import annotations


def bilingual(english: str, chinese: str) -> str:
    """A GraphQL description: the English text, then the Chinese, a paragraph each."""
    return f"{english}\n\n{chinese}"
