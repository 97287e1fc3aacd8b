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
"""Put a prompt to the cheapest model that will do, check its answer, and ask a strong one when the check fails."""

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
  python3 cheap_route.py "What is 17% of 2,340?" --explain --dry-run       who would be asked, and why; sends nothing
  python3 cheap_route.py "Which label: bug, feature or question?" -f issue.txt
  python3 cheap_route.py "Write slugify(text)" --check-cmd "python3 -m pytest -q test_slugify.py"
  python3 cheap_route.py "Summarise" -f report.txt -m openai:cheap -m gemini:cheap --strong openai:best --json
  python3 cheap_route.py --audit-report"""


def main(argv: list[str] | None = None) -> int:
    from litellm_skill import command

    return command.run(_flags, _route, argv)


def _flags() -> Parser:
    from litellm_skill import command

    parser = command.parser(__doc__, EXAMPLES)
    command.add_prompt(parser)
    command.add_candidates(parser)
    command.add_generation(parser)
    command.add_output(parser)
    command.add_shape(parser)
    command.add_history(parser)
    return parser


def _route(args: Namespace, at_hand: Settings, console: Console) -> int:
    from litellm_skill import route

    return route.one(args, at_hand, console)


if __name__ == "__main__":
    launch.run(main)
