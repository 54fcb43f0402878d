"""A defect in three dimensions: spheres of an SVG, drawn from the side, that a little script turns.

Without the script, and on paper, the picture is there all the same.
"""

import math
from html import escape

from ..generalisation.assess.defect_sections import Scene
from ..generalisation.assess.numbers import length
from .plot import identifier

SIZE = 320
#: Colours from small to large errors (viridis); the script has the same.
COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
#: The first view: turned about the vertical and the horizontal axis.
TURN, TILT = 0.5, 0.35


def scene_svg(name: str, scene: Scene) -> tuple[str, str]:
    """The drawing and its description."""
    reach = max(math.hypot(*p) for p in scene.positions) or 1.0
    largest = max(scene.error) or 1.0
    nearest = min(
        (math.dist(p, q) for k, p in enumerate(scene.positions[:30]) for q in scene.positions[:k]),
        default=1.0,
    )
    scale = 0.44 * SIZE / reach
    ball = nearest * scale
    seen = sorted((_turned(p), e) for p, e in zip(scene.positions, scene.error))
    circles = "".join(
        f'<circle cx="{SIZE / 2 + scale * x:.1f}" cy="{SIZE / 2 - scale * y:.1f}"'
        f' r="{ball * radius(e / largest, z / reach):.1f}" fill="{colour(e / largest)}"/>'
        for (z, x, y), e in seen
    )
    alt = (
        f"The {len(scene.positions)} atoms nearest to the {name}, coloured by how far the "
        f"reference would move them: up to {length(largest)}, at most "
        f"{length(_beyond(scene, 0.5 * reach))} beyond half the picture."
    )
    own = identifier(f"{name}-scene")
    svg = (
        f'<svg role="img" aria-labelledby="{own}" viewBox="0 0 {SIZE} {SIZE}"'
        f' class="scene"><title id="{own}">{escape(alt)}</title>{circles}</svg>'
    )
    return svg, alt


def scene_data(scene: Scene) -> dict:
    """What the script needs to turn the picture."""
    return {"positions": scene.positions, "error": scene.error, "turn": TURN, "tilt": TILT}


def radius(share: float, depth: float) -> float:
    """Of a sphere, in nearest-neighbour distances: what is wrong is large, what is near a little
    larger, and the rest shows the lattice.
    """
    return (0.09 + 0.23 * math.sqrt(share)) * (1 + 0.15 * depth)


def colour(share: float) -> str:
    """The colour of an error, as a share of the largest."""
    place = min(max(share, 0.0), 1.0) * (len(COLOURS) - 1)
    low = min(int(place), len(COLOURS) - 2)
    t = place - low
    channels = [
        round((1 - t) * int(COLOURS[low][k : k + 2], 16) + t * int(COLOURS[low + 1][k : k + 2], 16))
        for k in (1, 3, 5)
    ]
    return "#" + "".join(f"{c:02x}" for c in channels)


def _turned(p):
    """Depth, right and up of a point in the first view."""
    x, y, z = p
    x, z = math.cos(TURN) * x + math.sin(TURN) * z, -math.sin(TURN) * x + math.cos(TURN) * z
    y, z = math.cos(TILT) * y - math.sin(TILT) * z, math.sin(TILT) * y + math.cos(TILT) * z
    return z, x, y


def _beyond(scene, reach):
    far = [e for p, e in zip(scene.positions, scene.error) if math.hypot(*p) > reach]
    return max(far, default=0.0)
