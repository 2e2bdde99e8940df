"""The keys that hold at this moment, by whom they belong to: what the help lists and the palette runs.

Made from the bindings themselves, so that neither can lie.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textual.binding import ActiveBinding
from textual.dom import DOMNode


class Key(NamedTuple):
    """One key, or several that do the same."""

    shown: str
    """As it is printed."""
    words: str
    """What it does."""
    action: str
    node: DOMNode
    """Whose action it is."""


class KeyGroup(NamedTuple):
    """Keys that belong together."""

    title: str
    keys: list[Key]


def key_groups(active: Iterable[ActiveBinding], titles: Sequence[tuple[type[DOMNode], str]]) -> list[KeyGroup]:
    """Bindings that are shown, by the first of `titles` that their node is one of, in the order of `titles`.

    Several keys of one action are one entry; a node of no known kind has none. Keys that override all others (Ctrl-C)
    come last in their group: they are no way to begin.
    """
    groups = [KeyGroup(title, []) for _, title in titles]
    seen: set[tuple[DOMNode, str]] = set()
    for node, binding, enabled, _ in sorted(active, key=lambda each: each.binding.priority):
        at = next((index for index, (kind, _) in enumerate(titles) if isinstance(node, kind)), None)
        if at is None or not (enabled and binding.show and binding.description) or (node, binding.action) in seen:
            continue
        seen.add((node, binding.action))
        key = Key(binding.key_display or binding.key, binding.description, binding.action, node)
        groups[at].keys.append(key)
    return [group for group in groups if group.keys]
