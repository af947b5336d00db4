"""Names, digests and `version.yaml`, whatever people write."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from policies.located import Findings, read
from policies.store.model import VERSION_FILE, changed, digest_of, new_version

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
NAMES = st.sampled_from(["trees.yaml", "rules/tax.yaml", "tests/tax.yaml", "rules/nation.yaml"])
FILES = st.dictionaries(NAMES, st.binary(max_size=4))


@given(by=st.text(), why=st.text())
def test_whatever_the_reason_version_yaml_holds_it_as_one_line(by: str, why: str) -> None:
    version = new_version(3, {}, published_at=AT, by=by, why=why)
    findings = Findings(VERSION_FILE)
    document = read(version.files[VERSION_FILE], findings)
    assert document is not None
    assert findings.found == []
    told = {key: item.value for key, item in findings.entries(document, "").items()}
    assert told == {"number": "3", "published_at": AT.isoformat(), "by": version.by, "why": version.why}
    if "".join(why.split()).isprintable():
        assert version.why == " ".join(why.split())


@given(FILES, FILES)
def test_files_have_one_digest_if_and_only_if_they_are_the_same(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other) == (changed(one, other) == ())


def test_the_digest_is_what_sha256sum_gives_over_its_own_output() -> None:
    files = {"trees.yaml": b"a", "rules/tax.yaml": b"b", VERSION_FILE: b"left out"}
    a, b = (hashlib.sha256(content).hexdigest() for content in (b"a", b"b"))
    expected = hashlib.sha256(f"{b}  rules/tax.yaml\n{a}  trees.yaml\n".encode()).hexdigest()
    assert digest_of(files) == expected == digest_of({**files, VERSION_FILE: b"another"})
