"""Walks over a graph of numbered nodes: no recursion, each node and edge once.

Trusts: nothing comes from outside.  Does not trust: the shape of the graph; it may have cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["components", "near", "postorder", "reach", "shortest"]

Adjacent = Sequence[Sequence[int]]


def reach(starts: Iterable[int], adjacent: Adjacent) -> list[int]:
    """Return every node that is reached, the starts among them, nearest first."""
    found = list(dict.fromkeys(starts))
    seen = bytearray(len(adjacent))
    for node in found:
        seen[node] = 1
    for node in found:  # grows while it is walked
        for following in adjacent[node]:
            if not seen[following]:
                seen[following] = 1
                found.append(following)
    return found


def near(starts: Iterable[int], adjacent: Adjacent, depth: int) -> list[int]:
    """Return every node that is reached in at most ``depth`` steps, nearest first."""
    seen = dict.fromkeys(starts)
    level = list(seen)
    for _ in range(depth):
        following = dict.fromkeys(n for node in level for n in adjacent[node] if n not in seen)
        if not following:
            break
        seen |= following
        level = list(following)
    return list(seen)


def shortest(start: int, goal: int, adjacent: Adjacent) -> list[int] | None:
    """Return the nodes of a shortest path, both ends included; None where there is none."""
    before = {start: start}
    queue = [start]
    for node in queue:
        if node == goal:
            break
        for following in adjacent[node]:
            if following not in before:
                before[following] = node
                queue.append(following)
    if goal not in before:
        return None
    path = [goal]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def postorder(starts: Iterable[int], adjacent: Adjacent) -> list[int]:
    """Return every node that is reached, each after what it leads to, cycles aside."""
    done: list[int] = []
    seen = bytearray(len(adjacent))
    for start in starts:
        if seen[start]:
            continue
        seen[start] = 1
        stack = [(start, iter(adjacent[start]))]
        while stack:
            node, rest = stack[-1]
            for following in rest:
                if not seen[following]:
                    seen[following] = 1
                    stack.append((following, iter(adjacent[following])))
                    break
            else:
                done.append(node)
                stack.pop()
    return done


def components(adjacent: Adjacent) -> list[list[int]]:
    """Return the groups of nodes that lead to each other in a cycle, and nodes that do alone.

    Tarjan, "Depth-first search and linear graph algorithms", 1972.
    """
    order = [0] * len(adjacent)  # 0 is not seen yet
    low = [0] * len(adjacent)
    waiting, on_stack, found, count = [], bytearray(len(adjacent)), [], 0
    for root in range(len(adjacent)):
        if order[root]:
            continue
        path = [root]
        places = [0]
        while path:
            node = path[-1]
            if not order[node]:
                count += 1
                order[node] = low[node] = count
                waiting.append(node)
                on_stack[node] = 1
            if places[-1] < len(adjacent[node]):
                following = adjacent[node][places[-1]]
                places[-1] += 1
                if not order[following]:
                    path.append(following)
                    places.append(0)
                elif on_stack[following]:
                    low[node] = min(low[node], order[following])
                continue
            path.pop()
            places.pop()
            if path:
                low[path[-1]] = min(low[path[-1]], low[node])
            if low[node] == order[node]:
                at = len(waiting) - 1
                while waiting[at] != node:
                    at -= 1
                group = waiting[at:]
                del waiting[at:]
                for member in group:
                    on_stack[member] = 0
                if len(group) > 1 or node in adjacent[node]:
                    found.append(group)
    return found
