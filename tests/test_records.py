"""The file of results: resumed, mended, refused, and written by one process."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from litellm_skill.faults import BadInput
from litellm_skill.records import Records
from litellm_skill.tally import Tally

HEADER = {"models": ["openai/test-model"], "options": {"generation": {"temperature": 0.5}, "system": None}}
FIRST = json.dumps({"batch": {"format": 1, **HEADER}}) + "\n"


def line(id: str, status: str = "ok", **more: Any) -> str:
    error = None if status == "ok" else {"type": "provider_failure"}
    row = {"status": status, "id": id, "model": "m", "row": "d", "error": error, "cost_usd": 0.5, "latency_s": 1.0}
    return json.dumps({**row, "score": None, **more}) + "\n"


def resumed(path: Path, text: str | bytes) -> tuple[Tally, int, bytes]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    tally = Tally()
    with closing(Records(path, HEADER, tally)) as records:
        records.begin()
        return tally, records.skipped, path.read_bytes()


def told(tally: Tally, id: str) -> tuple[bool, str] | None:
    found = tally.find(id, "m")
    return (found.ok, found.digest) if found else None


@pytest.mark.parametrize(
    ("text", "left", "found"),
    [
        ("", FIRST, None),
        (FIRST[:20], FIRST, None),
        (FIRST[:-1], FIRST, None),
        (FIRST + line("a"), FIRST + line("a"), (True, "d")),
        (FIRST + line("a")[:30], FIRST, None),
        (FIRST + line("a")[:-1], FIRST, None),
        (FIRST + line("a", "error") + FIRST + line("a"), FIRST + line("a", "error") + FIRST + line("a"), (True, "d")),
        (FIRST + line("a") + line("a", "error"), FIRST + line("a") + line("a", "error"), (False, "d")),
    ],
)
def test_what_is_there_counts_and_half_a_line_does_not(tmp_path: Path, text: str, left: str, found: object) -> None:
    tally, skipped, content = resumed(tmp_path / "out", text)
    with closing(tally):
        assert (told(tally, "a"), skipped, content.decode()) == (found, 0, left)


def test_a_line_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    tally, skipped, _ = resumed(tmp_path / "out", FIRST + "half a l" + FIRST + line("a"))
    with closing(tally):
        assert (skipped, told(tally, "a")) == (1, (True, "d"))


@pytest.mark.parametrize(
    "more",
    [
        {"model": 7},
        {"row": None},
        {"status": None},
        {"error": "bad"},
        {"error": {}},
        {"score": 1},
        {"score": {"by": "exact"}},
        {"score": {"value": "x"}},
        {"cost_usd": {}},
        {"latency_s": "1"},
    ],
    ids=str,
)
def test_a_line_without_what_counts_is_passed_over(tmp_path: Path, more: dict[str, Any]) -> None:
    tally, skipped, _ = resumed(tmp_path / "out", FIRST + line("a", **more) + '{"id": "a", "model": "m"}\n' + line("b"))
    with closing(tally):
        assert (skipped, told(tally, "a"), told(tally, "b")) == (2, None, (True, "d"))


def test_half_a_line_is_not_left_on_a_full_disk(tmp_path: Path) -> None:
    """What is written when there is room again must not be a part of it."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "out"
    with closing(Tally()) as tally, closing(Records(path, HEADER, tally)) as records:
        records.begin()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(FIRST) + 10, hard))
        try:
            with pytest.raises(BadInput, match="cannot write --out"):
                records.write(line("a")[:-1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        records.write(line("b")[:-1])
    assert path.read_text() == FIRST + line("b")


def test_a_result_is_found_again(tmp_path: Path) -> None:
    """Of what was there and of what was added, whatever stands before it."""
    path = tmp_path / "out"
    path.write_text(FIRST + line("a", text="früher") + "half a l\n" + FIRST + line("b", text="then"))
    with closing(Tally()) as tally, closing(Records(path, HEADER, tally)) as records:
        tally.take(json.loads(line("c")), records.write(line("c", text="now")[:-1]))
        places = [found.at for id in "abc" if (found := tally.find(id, "m"))]
        texts = [document["text"] for at in places if (document := records.read(at))]
        assert texts == ["früher", "then", "now"]
        assert records.read(1) is None


@pytest.mark.parametrize("text", ["notes of mine\n", '{"a": 1}\n', "notes", line("a"), "\n", b"\xff\xfe\n"])
def test_another_file_is_left_alone(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "out"
    with pytest.raises(BadInput, match="holds no results of a batch"):
        resumed(path, text)
    assert path.read_bytes() == (text if isinstance(text, bytes) else text.encode())


def test_other_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text(FIRST)
    other = {**HEADER, "options": {"generation": {"temperature": 1}, "system": "s"}}
    with closing(Tally()) as tally, pytest.raises(BadInput) as caught:
        Records(path, other, tally)
    assert caught.value.message.endswith('temperature 0.5, now 1, system null, now "s"')
    assert path.read_text() == FIRST


def test_one_process_writes(tmp_path: Path) -> None:
    with closing(Tally()) as tally, closing(Records(tmp_path / "out", HEADER, tally)) as first:
        with pytest.raises(BadInput, match="another process writes to"):
            Records(first.path, HEADER, tally)
        first.begin()


def test_force_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("notes\n")
    with closing(Tally()) as tally, closing(Records(path, HEADER, tally, force=True)) as records:
        records.begin()
        records.write(line("é\ud800")[:-1])
    assert path.read_text().startswith(FIRST)


@pytest.mark.parametrize("name", [".", "none/out", "/dev/null"])
def test_where_no_file_can_be(tmp_path: Path, name: str) -> None:
    with closing(Tally()) as tally, pytest.raises(BadInput):
        Records(tmp_path / name, HEADER, tally)


def test_standings(tmp_path: Path) -> None:
    rows = [line(str(n), latency_s=float(n), score={"value": float(n % 2), "by": "exact"}) for n in range(1, 101)]
    rows += [line("x", "error", cost_usd=None, latency_s=None), line("y", "partial", cost_usd=None)]
    tally, _, _ = resumed(tmp_path / "out", FIRST + "".join(rows))
    with closing(tally):
        one = tally.standing("m")
        nobody = tally.standing("other")
    assert (one.answered, one.failed, one.errors) == (100, 2, {"provider_failure": 2})
    assert (one.cost_usd, one.priced) == (50.0, 100)
    assert one.latency_s == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert (one.scored, one.score) == (100, 0.5)
    assert one.interval == pytest.approx((0.4038, 0.5962), abs=5e-5)
    assert (nobody.answered, nobody.cost_usd, nobody.latency_s, nobody.score, nobody.interval) == (0,) + (None,) * 4
