// Which cells are in sight: symmetric shadowcasting over the opaque cells, the rule by which the
// server decides what it sends. Slopes are exact fractions, so both ends agree.

/** How far a character sees, and how far while it is darkened. */
export const SIGHT_RADIUS = 24;
export const DARK_RADIUS = 7;

/** For each quadrant: how (depth, across) becomes (dx, dy). */
const QUADRANTS = [
  (depth, across) => [across, -depth],
  (depth, across) => [depth, across],
  (depth, across) => [across, depth],
  (depth, across) => [-depth, across],
];

/**
 * Calls `see(x, y)` for each cell in sight of (x0, y0), some of them twice. `opaque(x, y)` is asked
 * for any cell, also outside the zone, and answers true there.
 */
export function fieldOfView(x0, y0, radius, opaque, see) {
  see(x0, y0);
  const limit = radius * (radius + 1);
  for (const turn of QUADRANTS) {
    // Rows still to scan: depth, then the slopes at which they begin and end as fractions.
    const rows = [[1, -1, 1, 1, 1]];
    while (rows.length > 0) {
      const [depth, startTop, startBottom, endTop, endBottom] = rows.pop();
      if (depth > radius) continue;
      scanRow({ depth, start: [startTop, startBottom], end: [endTop, endBottom] });
    }

    function scanRow({ depth, start, end }) {
      const first = Math.floor((2 * depth * start[0] + start[1]) / (2 * start[1]));
      const last = Math.ceil((2 * depth * end[0] - end[1]) / (2 * end[1]));
      let from = start;
      let before = null;
      for (let across = first; across <= last; across += 1) {
        const [dx, dy] = turn(depth, across);
        const wall = opaque(x0 + dx, y0 + dy);
        const inside =
          across * start[1] >= depth * start[0] && across * end[1] <= depth * end[0];
        if ((wall || inside) && dx * dx + dy * dy <= limit) see(x0 + dx, y0 + dy);
        const edge = [2 * across - 1, 2 * depth];
        if (before === true && !wall) from = edge;
        if (before === false && wall) rows.push([depth + 1, ...from, ...edge]);
        before = wall;
      }
      if (before === false) rows.push([depth + 1, ...from, ...end]);
    }
  }
}
