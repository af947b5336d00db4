"""The words that the nation is made of: real divisions, since codes must be lawful, and plainly invented names.

Names of companies hold the word 虚构 (invented) and lands and beasts of legend; names of people are those of the
characters whom Sima Xiangru invented to stand for nobody, with the stems and branches of the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final


@dataclass(frozen=True, slots=True)
class Division:
    """A county-level division (GB/T 2260): 6-digit code, province, city, county, the city's telephone area."""

    code: str
    province: str
    city: str
    county: str
    area: str

    @property
    def place(self) -> str:
        """The division's full name, without saying a municipality's twice."""
        return "".join(dict.fromkeys((self.province, self.city, self.county)))


def _divisions(table: str) -> tuple[Division, ...]:
    return tuple(Division(*line.split()) for line in table.strip().splitlines())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ZHEJIANG: Final = _divisions("""
330102 浙江省 杭州市 上城区 0571
330106 浙江省 杭州市 西湖区 0571
330108 浙江省 杭州市 滨江区 0571
330109 浙江省 杭州市 萧山区 0571
330203 浙江省 宁波市 海曙区 0574
330212 浙江省 宁波市 鄞州区 0574
330302 浙江省 温州市 鹿城区 0577
330402 浙江省 嘉兴市 南湖区 0573
330502 浙江省 湖州市 吴兴区 0572
330602 浙江省 绍兴市 越城区 0575
330702 浙江省 金华市 婺城区 0579
330782 浙江省 金华市 义乌市 0579
330902 浙江省 舟山市 定海区 0580
331002 浙江省 台州市 椒江区 0576
""")

GUANGDONG: Final = _divisions("""
440103 广东省 广州市 荔湾区 020
440106 广东省 广州市 天河区 020
440112 广东省 广州市 黄埔区 020
440303 广东省 深圳市 罗湖区 0755
440304 广东省 深圳市 福田区 0755
440305 广东省 深圳市 南山区 0755
440402 广东省 珠海市 香洲区 0756
440507 广东省 汕头市 龙湖区 0754
440604 广东省 佛山市 禅城区 0757
441302 广东省 惠州市 惠城区 0752
""")

ELSEWHERE: Final = _divisions("""
110105 北京市 北京市 朝阳区 010
110108 北京市 北京市 海淀区 010
120101 天津市 天津市 和平区 022
210102 辽宁省 沈阳市 和平区 024
310104 上海市 上海市 徐汇区 021
310115 上海市 上海市 浦东新区 021
320102 江苏省 南京市 玄武区 025
340102 安徽省 合肥市 瑶海区 0551
350203 福建省 厦门市 思明区 0592
370102 山东省 济南市 历下区 0531
410102 河南省 郑州市 中原区 0371
420106 湖北省 武汉市 武昌区 027
430102 湖南省 长沙市 芙蓉区 0731
500103 重庆市 重庆市 渝中区 023
510104 四川省 成都市 锦江区 028
530102 云南省 昆明市 五华区 0871
610113 陕西省 西安市 雁塔区 029
620102 甘肃省 兰州市 城关区 0931
""")

LANDS: Final = _words("""
青丘 昆仑 蓬莱 方丈 瀛洲 扶桑 归墟 若木 建木 汤谷 虞渊 不周
弱水 大荒 玄圃 阆风 员峤 岱舆 丹穴 空桑
""")

CREATURES: Final = _words("""
白泽 毕方 鲲鹏 当康 乘黄 英招 陆吾 精卫 文鳐 重明 夫诸 蛊雕
狡兽 天马 鹿蜀 旋龟 灌灌 赤鱬 𫘧𬳿
""")
"""The last creature needs four bytes in GB18030, as some names in real registers do."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A line of business: the word in a company's name, its industry (GB/T 4754), its licensed scope."""

    word: str
    industry: str
    scope: str


TRADES: Final = (
    Trade("纺织", "C17", "纺织品的研发、生产、销售；货物进出口。"),
    Trade("食品", "C14", "食品生产；食品销售。（依法须经批准的项目，经相关部门批准后方可开展经营活动）"),
    Trade("化工", "C26", "专用化学产品制造（不含危险化学品）。"),
    Trade("机械", "C34", "通用设备制造；机械零件加工。"),
    Trade("电子", "C39", "电子元器件制造；集成电路设计。"),
    Trade("建筑", "E47", "房屋建筑工程施工；建筑劳务分包。"),
    Trade("商贸", "F51", "日用百货、五金产品的批发与零售。"),
    Trade("物流", "G58", "国内货物运输代理；仓储服务。"),
    Trade("软件", "I65", "软件开发；信息系统集成服务。"),
    Trade("农业", "A01", "谷物种植；农产品初加工。"),
)

SURNAMES: Final = _words("子虚 乌有 亡是 无是 莫须")
STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
BRANCHES: Final = "子丑寅卯辰巳午未申酉戌亥"


def person_name(draw: Random) -> str:
    """The name of nobody."""
    return draw.choice(SURNAMES) + draw.choice(STEMS) + draw.choice(BRANCHES)


def brand(draw: Random) -> str:
    """The invented part of a company's name."""
    return "虚构" + draw.choice(LANDS) + draw.choice(CREATURES)
