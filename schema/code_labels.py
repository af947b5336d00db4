"""What the first two characters of a credit code stand for (GB 32100-2015, table 1, and its amendments)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schema.credit_code import CreditCode
from schema.values import Code

AUTHORITIES: Final[Mapping[str, str]] = {
    "1": "机构编制 (state organs and public institutions)",
    "2": "外交 (foreign affairs)",
    "3": "司法行政 (judicial administration)",
    "4": "文化 (culture)",
    "5": "民政 (civil affairs)",
    "6": "旅游 (tourism)",
    "7": "宗教 (religious affairs)",
    "8": "工会 (trade unions)",
    "9": "市场监管 (market regulation)",
    "A": "中央军委 (military)",
    "N": "农业 (agriculture)",
    "Y": "其他 (other)",
}

_OTHER: Final = "其他 (other)"

CATEGORIES: Final[Mapping[str, str]] = {
    "11": "机关 (state organ)",
    "12": "事业单位 (public institution)",
    "13": "群众团体 (mass organisation)",
    "21": "外国常驻新闻机构 (resident foreign news agency)",
    "31": "律师执业机构 (law firm)",
    "32": "公证处 (notary office)",
    "33": "基层法律服务所 (legal service office)",
    "34": "司法鉴定机构 (forensic institution)",
    "35": "仲裁委员会 (arbitration commission)",
    "41": "外国在华文化中心 (foreign cultural centre)",
    "51": "社会团体 (social organisation)",
    "52": "民办非企业单位 (private non-enterprise unit)",
    "53": "基金会 (foundation)",
    "61": "外国旅游部门常驻代表机构 (foreign tourism office)",
    "62": "港澳台地区旅游部门常驻代表机构 (tourism office of Hong Kong, Macao or Taiwan)",
    "71": "宗教活动场所 (place of worship)",
    "72": "宗教院校 (religious school)",
    "81": "基层工会 (local trade union)",
    "91": "企业 (enterprise)",
    "93": "农民专业合作社 (farmers' cooperative)",
    "A1": "军队事业单位 (military institution)",
    "N1": "组级集体经济组织 (group-level collective)",
    "N2": "村级集体经济组织 (village-level collective)",
    "N3": "乡镇级集体经济组织 (township-level collective)",
    "Y1": _OTHER,
}
"""By authority and category together; a category 9 is other than these."""


def authority(code: CreditCode) -> Code:
    """The registering authority."""
    return Code(code.authority, AUTHORITIES[code.authority])


def category(code: CreditCode) -> Code:
    """The entity category within the authority."""
    return Code(code.category, CATEGORIES.get(code.authority + code.category, _OTHER))
