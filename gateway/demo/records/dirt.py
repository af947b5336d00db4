"""Ways in which agencies write down what should have been written otherwise."""

from __future__ import annotations

from datetime import date
from typing import Final

from gateway.demo.nation import Company, Population

NO_START: Final = "1900-1-1"
NO_END: Final = "9999-9-9"
NO_TEXT: Final = "暂无"

_FULL_WIDTH: Final = str.maketrans({chr(point): chr(point + 0xFEE0) for point in range(0x21, 0x7F)})


def full_width(text: str) -> str:
    """The text in full-width characters (U+FF01 to U+FF5E), as an input method leaves them."""
    return text.translate(_FULL_WIDTH)


def unpadded(day: date) -> str:
    """The date without leading zeros: 2024-3-5."""
    return f"{day.year}-{day.month}-{day.day}"


def written_code(population: Population, company: Company) -> str:
    """The company's code as careless agencies keep it in their column for credit codes."""
    if company is population.showcase["lower_case"]:
        return company.code.lower()
    if company is population.showcase["full_width"]:
        return full_width(company.code)
    if company is population.showcase["organisation_code"]:
        return company.organisation_code
    return company.code
