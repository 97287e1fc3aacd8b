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
"""Say what works from here, what does not, and what mends it. Spends nothing and installs nothing."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # PYTHONSAFEPATH leaves it out

from litellm_skill import foundation  # noqa: E402

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from litellm_skill.command import Parser

EXAMPLES = """examples:
  python3 doctor.py                        everything that costs nothing: software, keys, addresses, servers
  python3 doctor.py --no-endpoints -q      only what is wrong, and without asking a server
  python3 doctor.py --ping                 also one tiny call a provider: is the key taken?
  python3 doctor.py --json                 as one document
  python3 doctor.py --warm start           a process that has LiteLLM at hand (LITELLM_SKILL_WARM=1 uses it)

A line a check: ok, warning or error; what follows -> mends it. Exit code 0, or 3 when there is an error."""


def main(argv: list[str] | None = None) -> int:
    from functools import partial

    from litellm_skill import checkup, command

    return command.run(_flags, partial(checkup.one, foundation.examine, foundation.warm_worker), argv)


def _flags() -> Parser:
    from litellm_skill import checkup, command

    parser = command.parser(__doc__, EXAMPLES)
    checkup.add_flags(parser)
    return parser


if __name__ == "__main__":
    foundation.start(main)
