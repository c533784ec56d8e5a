"""How often each difference was met, for people to read."""

from __future__ import annotations

from collections import Counter

# By SDK.
Counts = dict[str, Counter[str]]


def print_counts(title: str, counts: Counts) -> None:
    print(f"\n{title}")
    width = max(len(name) for one in counts.values() for name in one)
    print(f"{'':{width}}" + "".join(f"  {sdk:>17}" for sdk in counts))
    for name in sorted(
        {name for one in counts.values() for name in one}, key=lambda n: (n != "same", n)
    ):
        print(f"{name:{width}}" + "".join(f"  {one[name]:17}" for one in counts.values()))
