"""`python -m tests.chaos --seed 7 --seconds 120 --replies 50`: one storm, its summary, and exit status 1 if it failed."""

from __future__ import annotations

import argparse
import random
import sys

from tests.chaos.storm import run_storm


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="who dies when (default: drawn, and printed)")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long parts are killed")
    parser.add_argument(
        "--replies", type=int, default=50, help="how many replies are written at the same time"
    )
    options = parser.parse_args(arguments)
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"A storm of {options.seconds:.0f} s over {options.replies} replies, --seed {seed}", flush=True)
    summary = run_storm(
        seed=seed,
        seconds=options.seconds,
        replies=options.replies,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print("\n".join(summary.lines()))
    return 1 if summary.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
