#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "litellm[mcp]>=1.106.2,<1.110,!=1.82.7,!=1.82.8",
#   "python-dotenv>=1.2,<2",
#   "httpx>=0.28,<1",
#   "certifi>=2025.1.31",
#   "pydantic>=2.12,<3",
#   "jsonschema>=4.25,<5",
#   "referencing>=0.36,<1",
#   "pyyaml>=6,<7",
#   "pypdf>=6,<8",
#   "jinja2>=3.1.6,<4",
#   "markdown-it-py>=3,<5",
#   "nh3>=0.3,<1",
#   "redis>=5.2,<9",
#   "tqdm>=4.67,<5",
# ]
# ///
"""Turn texts into vectors (embeddings), or rank them by likeness to a query."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # PYTHONSAFEPATH leaves it out

from litellm_skill import launch  # noqa: E402

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ArgumentGroup

    from litellm_skill.command import Parser
    from litellm_skill.console import Console
    from litellm_skill.settings import Settings

EXAMPLES = """examples:
  python3 embed_text.py --demo "a text" "another"              the whole path, no key needed
  python3 embed_text.py --jsonl texts.jsonl --out vectors.jsonl
  python3 embed_text.py -f a.md -f b.md --similar "how are keys stored?" --top 3
  python3 embed_text.py --jsonl - --json < texts.jsonl

A line of --jsonl is {"id": 7, "text": "…"} or "…". Without an id it is the line's number.
Output: JSON lines {"id", "embedding", "dims"} in the order of the input; with --similar {"id", "score", "text"}."""


def main(argv: list[str] | None = None) -> int:
    from litellm_skill import command

    return command.run(_flags, _embed, argv)


def _flags() -> Parser:
    from litellm_skill import command

    parser = command.parser(__doc__, EXAMPLES)
    _add_texts(parser.add_argument_group("what to embed"))
    _add_model(parser.add_argument_group("whom to ask"))
    _add_output(parser)
    return parser


def _add_texts(group: _ArgumentGroup) -> None:
    group.add_argument("text", nargs="*", metavar="TEXT", help="a text; - reads one from stdin")
    group.add_argument("-f", "--file", action="append", default=[], metavar="FILE", help="one text (repeatable)")
    group.add_argument("--jsonl", metavar="FILE", help="one text a line, however many; - reads them from stdin")
    group.add_argument("--allow-secrets", action="store_true", help="send what looks like a secret")
    group.add_argument(
        "--allow-path", action="append", default=[], metavar="PATH", help="read this file although it is refused"
    )


def _add_model(group: _ArgumentGroup) -> None:
    from litellm_skill.quantity import count, seconds, usd, whole

    group.add_argument(
        *("-m", "--model"),
        metavar="NAME",
        help="provider/model; default: EMBEDDING_PROVIDER and EMBEDDING_MODEL, else the first you have a key for",
    )
    group.add_argument("--dimensions", type=count, metavar="N", help="numbers a vector; default: the model's own")
    group.add_argument("--batch-size", type=count, default=64, metavar="N", help="texts a request (default 64)")
    group.add_argument(
        *("-j", "--concurrency"), type=count, metavar="N", help="requests at once (default 4; local models 1)"
    )
    group.add_argument("--env-file", metavar="F", help="read this .env and no other")
    group.add_argument("--demo", action="store_true", help="call no model: try the whole path without a key")
    group.add_argument("--dry-run", action="store_true", help="say what would be sent where; send nothing")
    group.add_argument(
        "--timeout", type=seconds, metavar="S", help="wall clock for everything (default 100; local models 600)"
    )
    group.add_argument(
        "--retries",
        type=whole,
        default=2,
        metavar="N",
        help="tries of a request after a passing failure (default 2)",
    )
    group.add_argument("--max-cost", type=usd, metavar="USD", help="spend no more than this")


def _add_output(flags: ArgumentParser) -> None:
    from litellm_skill import command
    from litellm_skill.quantity import count

    group = command.add_output(flags, out="write the lines to a file, and not to stdout", verbose="tracebacks")
    group.add_argument("--similar", metavar="QUERY", help="rank the texts by their likeness to this one")
    group.add_argument("--top", type=count, metavar="N", help="with --similar: the best N alone")


def _embed(args: Namespace, at_hand: Settings, console: Console) -> int:
    from litellm_skill import embedding

    return embedding.many(args, at_hand, console)


if __name__ == "__main__":
    launch.run(main)
