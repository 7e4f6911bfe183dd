// Ways over the known cells. Costs are small integers; a diagonal step needs both its sides free
// of walls. Ties are broken in the order of directions, straight ones first.

import { burns, itemOf, terrainOf } from './frame.js';
import { DIRECTIONS } from './protocol.js';

const ORDER = [0, 2, 4, 6, 1, 3, 5, 7];
const COST_MAX = 4000;

/** What a step into a cell costs, or Infinity: unknown, solid, deadly. */
export function stepCost(world, x, y) {
  const value = world.cell(x, y);
  if (value === null) return Infinity;
  const terrain = world.content.terrain(terrainOf(value));
  if (terrain.avoid || burns(value)) return Infinity;
  const gas = (value >>> 16) & 7;
  return terrain.cost + gas * 2;
}

/** Whether the walls leave room for a step, diagonal ones included. */
export function stepFits(world, x, y, direction) {
  const { dx, dy } = DIRECTIONS[direction];
  if (dx === 0 || dy === 0) return true;
  const free = (cx, cy) => !(world.terrain(cx, cy)?.solid ?? true);
  return free(x + dx, y) && free(x, y + dy);
}

/**
 * Searches outwards from `from` for the nearest cell for which `wanted(x, y)` holds and returns
 * the steps there as a list of directions, or null. The last step may enter a cell that costs
 * Infinity when `wanted` holds for it.
 */
export function findPath(world, from, wanted) {
  const { width, height } = world;
  const costs = new Int32Array(width * height).fill(COST_MAX);
  const came = new Int8Array(width * height).fill(-1);
  const buckets = [[from.y * width + from.x]];
  const occupied = new Set(
    world.view.actors.filter((a) => !world.isHostile(a)).map((a) => a.pos.y * width + a.pos.x),
  );
  costs[buckets[0][0]] = 0;
  for (let cost = 0; cost < buckets.length; cost += 1) {
    for (const index of buckets[cost] ?? []) {
      if (costs[index] !== cost) continue;
      const [x, y] = [index % width, Math.floor(index / width)];
      if (cost > 0 && wanted(x, y)) return trace(came, index, from, width);
      if (cost > 0 && stepCost(world, x, y) === Infinity) continue;
      for (const direction of ORDER) {
        const { dx, dy } = DIRECTIONS[direction];
        const [nx, ny] = [x + dx, y + dy];
        if (!world.inside(nx, ny) || !stepFits(world, x, y, direction)) continue;
        const to = ny * width + nx;
        let step = stepCost(world, nx, ny);
        if (step === Infinity) step = wanted(nx, ny) ? 1 : Infinity;
        if (occupied.has(to)) step += 4;
        if (cost + step >= costs[to]) continue;
        costs[to] = cost + step;
        came[to] = direction;
        (buckets[cost + step] ??= []).push(to);
      }
    }
  }
  return null;
}

function trace(came, goal, from, width) {
  const steps = [];
  let [x, y] = [goal % width, Math.floor(goal / width)];
  while (x !== from.x || y !== from.y) {
    const direction = came[y * width + x];
    steps.push(direction);
    x -= DIRECTIONS[direction].dx;
    y -= DIRECTIONS[direction].dy;
  }
  return steps.reverse();
}

/** Whether a known walkable cell has an unknown neighbour: the edge of what was explored. */
export function isFrontier(world, x, y) {
  if (stepCost(world, x, y) === Infinity) return false;
  return DIRECTIONS.some(({ dx, dy }) => {
    return world.inside(x + dx, y + dy) && world.cell(x + dx, y + dy) === null;
  });
}

/** The look of the item that lies at a cell, 0 for none. */
export function itemAt(world, x, y) {
  const value = world.cell(x, y);
  return value === null ? 0 : itemOf(value);
}
