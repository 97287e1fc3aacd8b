"""What is sent: prompt text, stdin, files, diffs; and the token estimate against recorded counts.

The counts at the end are those of tiktoken's ``o200k_base`` and ``cl100k_base`` and of Claude 2's tokenizer
(``anthropic_tokenizer.json``), all as bundled with LiteLLM 1.106.2. The estimate's error in per cent on
larger texts, in the same order (standard library, licences, API examples, vim's tutors, systemd's catalogs):

                                      o200k_base    cl100k_base   Claude 2
    English, 58 kB                     +2 .. +7      +2 .. +6     -7 .. +1
    Python, 87 kB                      +0 .. +13     +2 .. +14    -4 .. +6
    C, JavaScript, CSS, 83 kB          +4 .. +23     +3 .. +24    -6 .. +0
    JSON, YAML, 92 kB                  -6 .. +6      -6 .. +6     -6 .. +3
    SQL, 21 kB (all capitals: +33)     +0 .. +33     -1 .. +34    -9 .. -8
    minified JavaScript, 41 kB        +12 .. +20    +14 .. +21    -7 .. -5
    digits, tables, deep indents      -14 .. +0     -14 .. +0    -16 .. +21
    base64                            -20           -24          -23
    Chinese, simplified               +10 .. +25    -24 .. +2    -14 .. +10
    Chinese, traditional               -8 .. +7     -41 .. -23   -35 .. -11
    Japanese                          +14 .. +25    -18 .. -9    -16 .. -7
    Korean                            +14 .. +23    -27 .. -8    -37 .. -19
    Russian, Ukrainian, Bulgarian      +8 .. +24    -26 .. -4    -28 .. -15
    German, French, Polish, Turkish   -13 .. +7     -19 .. +2    -33 .. -9
    Vietnamese                        +33            -3          -27
    Greek, Hebrew, Arabic, Hindi, Thai -3 .. +11    -67 .. -49   -77 .. -57
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from litellm_skill import prompt
from litellm_skill.prompt import Prompt, estimate_tokens
from litellm_skill.screen import Part
from reading import pipe, posix, read, refusal

# Prompt and system prompt


@pytest.mark.parametrize("text", ["hi", "  spaces and a newline kept \r\n", "你好，世界 🎉", "C:\\x `y` ```"])
def test_a_prompt_without_attachments_is_sent_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.txt").write_bytes(text.encode())
    with pipe(text.encode()) as asked, pipe(text.encode()) as unasked, pipe(text.encode()) as as_file:
        prompts = [
            read(tmp_path, argument=text),
            read(tmp_path, prompt_file="p.txt"),
            read(tmp_path, prompt_file=str(tmp_path / "p.txt")),
            read(tmp_path, asked, argument="-"),
            read(tmp_path, unasked),
            read(tmp_path, as_file, prompt_file="-"),
        ]
    names = ["the prompt", "p.txt", "p.txt", "stdin", "stdin", "stdin"]
    assert prompts == [Prompt((Part(name, text),)) for name in names]
    assert {prompt.text for prompt in prompts} == {text}


def test_messages_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_bytes("\ufeffBe brief.".encode())
    plain, with_system = (
        read(tmp_path, argument="hello"),
        read(tmp_path, argument="hello", system_file="s.txt"),
    )
    assert plain.messages() == [{"role": "user", "content": "hello"}]
    assert with_system.messages() == read(tmp_path, argument="hello", system="Be brief.").messages()
    assert plain == read(tmp_path, argument="hello", system="")
    assert with_system.messages() == [{"role": "system", "content": "Be brief."}, *plain.messages()]
    assert (plain.characters, with_system.characters) == (5, 14)
    assert with_system.tokens == plain.tokens + estimate_tokens("Be brief.")


def test_an_argument_leaves_stdin_alone(tmp_path: Path) -> None:
    with pipe(b"unread") as stdin:
        assert read(tmp_path, stdin, argument="hi").text == "hi"
        assert stdin.read() == b"unread"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({}, "no prompt"),
        ({"argument": ""}, "empty"),
        ({"argument": " \n\t"}, "empty"),
        ({"argument": "-"}, "stdin is closed"),
        ({"argument": "a", "prompt_file": "p"}, "two prompts"),
        ({"argument": "a", "system": "b", "system_file": "s"}, "two system prompts"),
        ({"argument": "caf\udce9"}, "the prompt is not text: a byte that is not UTF-8 at character 4"),
        ({"argument": "a\0b"}, "the prompt is not text: NUL at character 2"),
        ({"argument": "a", "system": "\ud800"}, "the system prompt is not text"),
        ({"prompt_file": "missing.txt"}, "no such file: missing.txt"),
        ({"prompt_file": "."}, "is a directory"),
        ({"prompt_file": "x\0y"}, "cannot read"),
        ({"argument": "a", "system_file": "../gone.txt"}, "no such file: ../gone.txt"),
    ],
)
def test_refused_prompts(tmp_path: Path, named: dict[str, str], says: str) -> None:
    assert says in refusal(tmp_path, **named)


# Stdin


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no prompt, or an empty one"),
        (b"caf\xe9", "stdin is not UTF-8: byte 0xe9 at byte offset 3"),
        (b"a\0", "stdin is not text: NUL at byte offset 1"),
        (b"x" * 101, "stdin is longer than 100 bytes (101 read so far)"),
    ],
)
def test_refused_stdin(tmp_path: Path, content: bytes, says: str) -> None:
    with pipe(content) as stdin:
        assert says in refusal(tmp_path, stdin, max_bytes=100, argument="-")


def test_stdin_of_exactly_the_limit(tmp_path: Path) -> None:
    with pipe(b"x" * 100) as stdin:
        assert len(read(tmp_path, stdin, max_bytes=100, argument="-").text) == 100


def test_an_open_silent_pipe_never_hangs(tmp_path: Path) -> None:
    with pipe(ends=False) as stdin:
        assert "stdin is open, but nothing came within 5 s | give it as the first" in refusal(tmp_path, stdin)


@posix
def test_an_endless_stdin_is_cut_off(tmp_path: Path) -> None:
    with open("/dev/zero", "rb") as stdin:
        assert "stdin is longer than 2,000,000 bytes" in refusal(tmp_path, stdin, argument="-")


@posix
def test_a_slow_writer_is_waited_for_even_when_the_pipe_does_not_block(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def write_slowly() -> None:
        with open(writer, "wb", buffering=0) as stream:
            for part in ("今天".encode()[:4], "今天".encode()[4:], b"!"):
                stream.write(part)
                threading.Event().wait(0.05)

    thread = threading.Thread(target=write_slowly)
    with open(reader, "rb") as stdin:
        thread.start()
        assert read(tmp_path, stdin, argument="-").text == "今天!"
    thread.join()


def test_stdin_from_files(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"from a file")
    with open(tmp_path / "p.txt", "rb") as stdin:
        assert read(tmp_path, stdin).text == "from a file"
    with open(os.devnull, "rb") as stdin:
        assert "no prompt" in refusal(tmp_path, stdin)
    assert "stdin is closed" in refusal(tmp_path, stdin, argument="-")  # that stream is closed by now
    assert "no prompt, or an empty one" in refusal(tmp_path, stdin)


@posix
def test_unreadable_stdin(tmp_path: Path) -> None:
    with open(tmp_path / "written", "wb") as stdin:
        assert "cannot read stdin: Bad file descriptor" in refusal(tmp_path, stdin, argument="-")


@posix
def test_a_terminal_is_read_only_when_asked(tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    os.write(master, b"typed\n\x04")
    with open(slave, "rb") as stdin:
        assert "no prompt, or an empty one" in refusal(tmp_path, stdin)
        assert read(tmp_path, stdin, argument="-").text == "typed\n"
    os.close(master)


@pytest.mark.parametrize(("content", "ends", "chunk"), [(b"hi", False, b"hi"), (b"", True, b""), (b"", False, None)])
def test_the_first_bytes_where_there_is_no_select(content: bytes, ends: bool, chunk: bytes | None) -> None:
    with pipe(content, ends=ends) as stdin:
        assert prompt._chunk_by_thread(stdin.fileno(), 0.2) == chunk


# Token estimate

SAMPLES: list[tuple[str, tuple[int, int, int]]] = [
    (
        "The harbour was quiet before sunrise. Two fishing boats waited at the pier while their crews\n"
        "carried ice across the wet planks, and somebody in the lighthouse kitchen had lit the stove.\n"
        'When the wind turned, the skipper left early: rain was due by noon. "Back for lunch," he said.\n',
        (62, 64, 66),
    ),
    (
        "@dataclass\nclass Account:\n    owner: str\n    balance: float = 0.0\n\n"
        "    def withdraw(self, amount: float) -> float:\n"
        '        """Take ``amount`` out; raises ValueError when there is not enough."""\n'
        "        if amount <= 0 or amount > self.balance:\n"
        '            raise ValueError(f"cannot withdraw {amount:.2f} from {self.balance:.2f}")\n'
        "        self.balance -= amount\n        return self.balance\n",
        (95, 94, 94),
    ),
    (
        '{"orders": [\n  {"id": 10441, "customer": {"name": "Ada Moreno", "vip": true}, '
        '"items": [{"sku": "LAMP-07", "qty": 2, "price": 39.9}],\n   "created_at": '
        '"2026-03-14T09:26:53Z", "shipped": null}\n], "next_page": "/v2/orders?cursor=eyJpZCI6MTA0NDJ9"}\n',
        (104, 103, 106),
    ),
    (
        "春天来了，院子里的桃花开得正盛。奶奶坐在门口的小凳子上，一边择菜一边跟邻居聊天。孩子们在巷子里追来跑去，笑声传得很远。"
        "研究表明，长期睡眠不足会影响记忆力和免疫功能。专家建议成年人每天保证七到八小时的睡眠，并尽量固定作息时间。",
        (93, 147, 139),
    ),
    (
        "資料庫連線中斷時，請先檢查系統紀錄，並確認逾時設定是否適當。如果重新連線失敗，應用程式會拋出例外並中止處理。"
        "臺灣的夏天又熱又潮濕，午後常常下起雷陣雨，街上的行人紛紛躲進騎樓。",
        (88, 135, 123),
    ),
    (
        "朝早く起きて、近くの公園を散歩するのが日課になっている。帰りに小さなパン屋に寄って、焼きたての食パンを買う。"
        "データベースの接続が切れた場合は、まずログを確認し、タイムアウトの設定値が適切かどうかを調べてください。",
        (85, 122, 117),
    ),
    (
        "아침에 일어나면 먼저 창문을 열고 신선한 공기를 마신다. 요즘은 오래된 소설을 다시 읽고 있는데, "
        "예전에는 보이지 않던 문장들이 새롭게 다가온다. "
        "설정 파일을 변경한 뒤에는 반드시 서비스를 다시 시작해 주십시오.",
        (66, 107, 124),
    ),
    (
        "如果 API 返回 429 错误，客户端应该读取 `Retry-After` 头部，等待后再重试：\n\n```python\n"
        "async def fetch(client, url):\n    # 超时时间为 30 秒\n    async with asyncio.timeout(30):\n"
        "        return await client.get(url)\n```\n\n上面的代码在 Linux 和 macOS 上都可以运行。\n",
        (77, 86, 86),
    ),
    (
        "Утром я гуляю в парке недалеко от дома и слушаю, как поют птицы. Если соединение с базой данных "
        "прервалось, сначала проверьте журнал, а затем значение времени ожидания.",
        (49, 74, 81),
    ),
    ("".join(f"{n} {n * n} {n**3} {n**4} {n / 7:.4f}\n" for n in range(11, 300, 7)), (755, 755, 613)),
    ("".join(" " * (n % 5 * 4) + f"if x{n}:\n" for n in range(40)), (192, 192, 200)),
    (
        "".join(f"| {name:<14} |     {n:>8} |    yes |\n" for n, name in enumerate(["alpha", "beta"] * 12)),
        (264, 264, 264),
    ),
    (
        "".join(f"{name}\t{n * 37}\tyes\t\tred\n" for n, name in enumerate(["alpha", "beta"] * 12)),
        (216, 216, 216),
    ),
    ("Done ✅ – all tests pass 🎉🚀, but two warnings ⚠️ remain → see the log 📦.\n", (25, 30, 31)),
]


@pytest.mark.parametrize(("text", "counts"), SAMPLES, ids=[text[:12].strip() for text, _ in SAMPLES])
def test_the_estimate_is_near_recorded_counts(text: str, counts: tuple[int, int, int]) -> None:
    o200k, cl100k, claude_2 = counts
    estimate = estimate_tokens(text)
    below, above = (0.94, 1.06) if text.isascii() else (0.80, 1.25)
    assert below * o200k <= estimate <= above * o200k
    assert estimate >= 0.59 * max(cl100k, claude_2)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("你", 1), ("🎉", 2), ("\n" * 50, 1)])
def test_the_smallest_estimates(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
