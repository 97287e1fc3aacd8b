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
"""Ask other models for findings about a diff or files, each checked against the source before it is shown."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # PYTHONSAFEPATH leaves it out

from litellm_skill import launch  # noqa: E402

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from argparse import Namespace

    from litellm_skill.command import Parser
    from litellm_skill.console import Console
    from litellm_skill.settings import Settings

EXAMPLES = """examples:
  python3 review_code.py --demo --diff                          the whole path, no key needed
  python3 review_code.py --diff-base main -m openai:best -m gemini:best
  python3 review_code.py "Can it deadlock?" -f 'src/lock/*.py' --read src --conventions AGENTS.md
  python3 review_code.py --diff --fail-on major --sarif review.sarif

exit code 14: a verified finding reaches --fail-on. A review that was made ends with 0, whatever it found."""


def main(argv: list[str] | None = None) -> int:
    from litellm_skill import command

    return command.run(_flags, _review, argv)


def _flags() -> Parser:
    from litellm_skill import command

    parser = command.parser(__doc__, EXAMPLES)
    command.add_prompt(parser, file="review a file or a quoted glob (repeatable)")
    command.add_models(parser)
    command.add_generation(parser)
    _add_review(parser)
    command.add_output(parser, files="--out, --html, --md and --sarif")
    command.add_history(parser)
    parser.set_defaults(functions=[], tools=None, schema=None)
    return parser


def _add_review(parser: Parser) -> None:
    from litellm_skill import findings
    from litellm_skill.quantity import count

    group = parser.add_argument_group("how to review, and what to make of it")
    group.add_argument("--conventions", metavar="FILE", help="the project's own rules, to review by")
    group.add_argument("--read", metavar="DIR", help="let the models list, read and search files of this folder")
    group.add_argument("--max-tool-rounds", type=count, default=12, metavar="N", help="with --read, default 12")
    group.add_argument(
        "--max-parts", type=count, default=20, metavar="N", help="requests to one model at most (default 20)"
    )
    group.add_argument("--merge-judge", metavar="MODEL", help="let this model say which findings mean the same")
    group.add_argument(
        "--fail-on", choices=findings.SEVERITIES, metavar="S", help="exit 14 at a verified finding at least so severe"
    )
    group.add_argument("--html", metavar="FILE", help="write a page of the findings")
    group.add_argument("--md", metavar="FILE", help="the same as Markdown")
    group.add_argument("--sarif", metavar="FILE", help="the same for editors and code hosts")


def _review(args: Namespace, at_hand: Settings, console: Console) -> int:
    from litellm_skill import review

    return review.review(args, at_hand, console)


if __name__ == "__main__":
    launch.run(main)
