from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.merkle import leaf, path, root, root_by_path

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The trees that implementations of RFC 6962 are commonly tried with."""


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_rfc_6962(size: int) -> None:
    assert root([leaf(bytes.fromhex(text)) for text in LEAVES[:size]]).hex() == ROOTS[size]


@given(size=st.integers(1, 70), data=st.data())
def test_a_leaf_is_proved_by_its_own_path_in_its_own_place_alone(size: int, data: st.DataObject) -> None:
    leaves = [leaf(b"%d" % n) for n in range(size)]
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(-1, size))
    beside = path(index, leaves)
    assert len(beside) <= 7
    assert root_by_path(leaves[index], index, size, beside) == root(leaves)
    if other != index:
        assert root_by_path(leaves[index], other, size, beside) != root(leaves)
    assert root_by_path(leaf(b"another"), index, size, beside) != root(leaves)
    assert root_by_path(leaves[index], index, size, [*beside, b"x" * 32]) != root(leaves)
    assert not beside or root_by_path(leaves[index], index, size, beside[1:]) != root(leaves)


def test_a_node_does_not_pass_for_a_record() -> None:
    one, two = leaf(b"1"), leaf(b"2")
    assert leaf(one + two) != root([one, two])
