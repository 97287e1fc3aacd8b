"""What accepted answers may cost in quality: audits counted, bounds on the share that differs, and what follows. Pure.

An audit asks the strong model too, on a prompt drawn at random before anything is known of it. A prompt that was
drawn counts as a loss when the cheap answer was accepted and the strong model's differs: no less than the true loss,
since the strong one may be the one that errs. So losses are draws of a coin, and their share has exact bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95
PROVING, ON, OFF = "proving", "on", "off"
SHARE = 1 / 20  # of the prompts, drawn once not all of them are; the user may say another
_ENOUGH = -math.log(1 - CONFIDENCE)
_STEPS = 50  # of a bisection: to 1e-15


@dataclass(frozen=True)
class Tally:
    """Counts of one task's prompts. ``drawn``: for an audit, those that were escalated anyway among them;
    ``audited``: drawn, accepted and compared; ``differing``: of those. USD: what was spent, and what the strong model
    alone would have cost; None when one of the prices is unknown."""

    prompts: int = 0
    accepted: int = 0
    drawn: int = 0
    audited: int = 0
    differing: int = 0
    spent_usd: float | None = 0.0
    strong_usd: float | None = 0.0

    @property
    def share_accepted(self) -> float | None:
        return self.accepted / self.prompts if self.prompts else None

    @property
    def difference(self) -> float | None:
        """The share of audited answers that differ from the strong model's."""
        return self.differing / self.audited if self.audited else None

    @property
    def bounds(self) -> tuple[float, float]:
        """Clopper and Pearson's, at 95 %, of ``difference``."""
        return bounds(self.differing, self.audited)

    @property
    def saved_usd(self) -> float | None:
        return None if self.spent_usd is None or self.strong_usd is None else self.strong_usd - self.spent_usd


@dataclass(frozen=True)
class Draw:
    """What becomes of one prompt. ``drawn``: the strong model is asked whatever the check says; ``proving``: and an
    accepted answer is not relied on; ``straight``: the cheap ones are not even asked."""

    drawn: bool
    proving: bool = False
    straight: bool = False


def draw(tally: Tally, max_loss: float | None, share: float | None, chance: float) -> Draw:
    """Before anything is known of the answer. ``share``: as the user said it, None for the default: none without
    ``max_loss``, else ``SHARE``; ``chance``: from 0 to 1, all alike."""
    if max_loss is None:
        return Draw(chance < (share or 0.0))
    found = state(tally, max_loss)
    drawn = found == PROVING or chance < (SHARE if share is None else share)
    return Draw(drawn, proving=found != ON, straight=found == OFF and not drawn)


def state(tally: Tally, max_loss: float) -> str:
    """Whether cheap answers may be relied on when at most ``max_loss`` (a share of all prompts) may be lost.

    PROVING: every prompt is drawn, and the strong answer given. ON: the loss is shown to be less, so a share is drawn.
    OFF: it is shown to be more, so the strong model is asked at once, but for the share that is still drawn.
    """
    if tally.differing < tally.drawn * max_loss and _evidence(tally.differing, tally.drawn, max_loss) >= _ENOUGH:
        return ON
    tail = incomplete_beta(tally.differing, tally.drawn - tally.differing + 1, max_loss) if tally.differing else 1.0
    return OFF if tail < (1 - CONFIDENCE) / 2 else PROVING  # that is, Clopper and Pearson's lower bound is above


def loss_bound(tally: Tally) -> float:
    """What the true loss stays below with 95 % confidence, however often one looks while the audits come in.

    Clopper and Pearson's bound holds for one look; to look after every audit until it is low enough would be wrong
    far more often than 5 %. This one is the largest share p against which the evidence is less than 20 to 1, and the
    evidence -- the mean likelihood of smaller shares over that of p -- exceeds that by chance in 5 % of all
    sequences at most (Ville's inequality).
    """
    losses, drawn = tally.differing, tally.drawn
    if losses >= drawn:
        return 1.0
    return _smallest(lambda p: _evidence(losses, drawn, p) >= _ENOUGH, losses / drawn)


def _evidence(losses: int, drawn: int, p: float) -> float:
    """Log of the mean likelihood of the shares below ``p``, all alike, over the likelihood of ``p``."""
    if p >= 1:
        return math.inf
    kept = drawn - losses
    below = incomplete_beta(losses + 1, kept + 1, p)
    if below <= 0:
        return -math.inf
    mean = _log_beta(losses + 1, kept + 1) + math.log(below) - math.log(p)
    return mean - losses * math.log(p) - kept * math.log1p(-p)


def bounds(found: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's (1934) interval for a share of which ``found`` ``of`` so many were seen."""
    if of == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if found == 0 else _smallest(lambda p: incomplete_beta(found, of - found + 1, p) >= tail, 0.0)
    high = 1.0 if found == of else _smallest(lambda p: incomplete_beta(found + 1, of - found, p) >= 1 - tail, 0.0)
    return low, high


def _smallest(is_enough: Callable[[float], bool], low: float) -> float:
    """The smallest share from ``low`` to 1 that is enough; what is enough stays so above it."""
    high = 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # where the fraction of the other side converges faster
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)) / a
    return front * (_fraction(a, b, x) - 1)


def _fraction(a: float, b: float, x: float) -> float:
    """1 and the fraction, by Lentz's method."""
    tiny = 1e-300
    c, d, value = 1.0, 0.0, 1.0
    for step in range(10_000):
        half = step // 2
        if step == 0:
            factor = 1.0
        elif step % 2:
            factor = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            factor = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / (1 + factor * d or tiny)
        c = 1 + factor / c or tiny
        value *= c * d
        if abs(1 - c * d) < 1e-14 and step > 1:
            break
    return value


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
