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
"""List the models that can be called from here, with their sizes, prices and abilities."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # PYTHONSAFEPATH leaves it out

from litellm_skill import launch  # noqa: E402

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from litellm_skill.command import Parser

EXAMPLES = """examples:
  python3 list_models.py                                      what your keys and servers offer, the cheapest first
  python3 list_models.py --can vision,tools --max-price 2     of those, what takes images and tools for little money
  python3 list_models.py --query opus --all                   every known model of that name, key or not
  python3 list_models.py --refresh --json                     with the newest prices, as one document"""


def main(argv: list[str] | None = None) -> int:
    from litellm_skill import command, inventory

    return command.run(_flags, inventory.one, argv)


def _flags() -> Parser:
    from litellm_skill import command, inventory

    parser = command.parser(__doc__, EXAMPLES)
    inventory.add_flags(parser)
    return parser


if __name__ == "__main__":
    launch.run(main)
