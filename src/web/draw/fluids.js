// What flows: water, lava and mud on the ground, gas above it. Computed on a coarse grid of a few
// points a cell and stretched smoothly, so that shores and clouds have no corners.

import { gasKindOf, gasLevelOf, terrainOf } from '../frame.js';
import { mix, noise, rgb, sheet } from './noise.js';

const POINTS = 6;
const GAS_POINTS = 3;
/** Time for which a picture of what flows is good enough. */
const STALE_MS = 45;

class Grid {
  constructor(points) {
    this.points = points;
    this.columns = 0;
  }

  /** Whether the picture has to be computed again; then it is empty. */
  begin(area, now, version) {
    const same = this.left === area.left && this.top === area.top && this.columns === area.columns;
    const fresh = same && this.rows === area.rows && this.version === version && now - this.at < STALE_MS;
    if (fresh) return false;
    [this.left, this.top, this.at, this.version] = [area.left, area.top, now, version];
    if (this.columns !== area.columns || this.rows !== area.rows) {
      [this.columns, this.rows] = [area.columns, area.rows];
      this.sheet = sheet(area.columns * this.points, area.rows * this.points);
      this.image = this.sheet.ctx.createImageData(this.sheet.canvas.width, this.sheet.canvas.height);
    }
    this.image.data.fill(0);
    this.used = false;
    return true;
  }

  end() {
    if (this.used) this.sheet.ctx.putImageData(this.image, 0, 0);
  }

  set(column, row, color, alpha) {
    const at = (row * this.sheet.canvas.width + column) * 4;
    const { data } = this.image;
    data[at] = color[0];
    data[at + 1] = color[1];
    data[at + 2] = color[2];
    data[at + 3] = alpha * 255;
    this.used = true;
  }

  draw(ctx, x, y, cell) {
    if (!this.used) return;
    ctx.imageSmoothingEnabled = true;
    ctx.imageSmoothingQuality = 'medium';
    ctx.drawImage(this.sheet.canvas, x, y, this.columns * cell, this.rows * cell);
  }
}

export class Fluids {
  constructor() {
    this.ground = new Grid(POINTS);
    this.air = new Grid(GAS_POINTS);
    this.gasColors = new Map();
  }

  drawGround(ctx, world, area, x0, y0, cell, now) {
    const { ground } = this;
    if (ground.begin(area, now, world.view)) {
      for (let j = 0; j < area.rows; j += 1) {
        for (let i = 0; i < area.columns; i += 1) this.#pool(world, area, i, j, now / 1000);
      }
      ground.end();
    }
    ground.draw(ctx, x0, y0, cell);
  }

  /** The points of one cell, if it or a neighbour is wet: shores run between the cells. */
  #pool(world, area, i, j, now) {
    const [x, y] = [area.left + i, area.top + j];
    const around = [];
    for (let dy = -1; dy <= 1; dy += 1) {
      for (let dx = -1; dx <= 1; dx += 1) around.push(wetness(world.terrain(x + dx, y + dy)));
    }
    const here = around[4];
    if (here === NEUTRAL || !around.some((w) => w.paint)) return;
    const seen = world.sees(x, y);
    const t = seen ? now : 0;
    for (let b = 0; b < POINTS; b += 1) {
      for (let a = 0; a < POINTS; a += 1) {
        const [fx, fy] = [(a + 0.5) / POINTS - 0.5, (b + 0.5) / POINTS - 0.5];
        const { paint, depth, share } = blend(around, fx, fy);
        if (!paint) continue;
        const [px, py] = [x + fx, y + fy];
        const shore = share + (noise(px * 2.6, py * 2.6, 11) - 0.5) * 0.4 * Math.min(1, (1 - share) * 4);
        const edge = Math.max(0, Math.min(1, (shore - 0.34) / 0.26));
        if (edge === 0) continue;
        const [color, alpha] = paint(px, py, t, depth);
        const wet = edge < 1 ? mix(color, paint.shore, (1 - edge) * 0.6) : color;
        this.ground.set(i * POINTS + a, j * POINTS + b, seen ? wet : faded(wet), alpha * edge);
      }
    }
  }

  drawAir(ctx, world, area, x0, y0, cell, now) {
    if (this.air.begin(area, now, world.view)) this.#clouds(world, area, now / 1000);
    this.air.draw(ctx, x0, y0, cell);
  }

  #clouds(world, area, t) {
    const level = (x, y) => {
      const value = world.cell(x, y);
      return value === null ? 0 : gasLevelOf(value);
    };
    for (let j = 0; j < area.rows; j += 1) {
      for (let i = 0; i < area.columns; i += 1) {
        const [x, y] = [area.left + i, area.top + j];
        const value = world.cell(x, y);
        if (value === null || gasLevelOf(value) === 0) continue;
        const color = this.#gasColor(world, gasKindOf(value));
        const strength = world.sees(x, y) ? 1 : 0.4;
        for (let b = 0; b < GAS_POINTS; b += 1) {
          for (let a = 0; a < GAS_POINTS; a += 1) {
            const [fx, fy] = [(a - 1) / GAS_POINTS, (b - 1) / GAS_POINTS];
            const beside = level(x + Math.sign(fx), y) * Math.abs(fx) + level(x, y + Math.sign(fy)) * Math.abs(fy);
            const here = level(x, y) * (1 - Math.abs(fx) - Math.abs(fy)) + beside;
            const [px, py] = [x + fx, y + fy];
            const drift = noise(px * 0.9 + t * 0.35, py * 0.9 - t * 0.22, 5);
            const curl = noise(px * 2.1 - t * 0.5, py * 2.1 + t * 0.4, 6);
            const alpha = Math.min((here / 7) * 0.55 + 0.12, 0.7) * (0.35 + drift * 0.7 + curl * 0.35);
            this.air.set(i * GAS_POINTS + a, j * GAS_POINTS + b, mix(color, [255, 255, 255], curl * 0.25), alpha * strength);
          }
        }
      }
    }
    this.air.end();
  }

  #gasColor(world, kind) {
    let color = this.gasColors.get(kind);
    if (!color) {
      color = rgb(world.content.gas(kind).color);
      this.gasColors.set(kind, color);
    }
    return color;
  }
}

function faded(color) {
  const luma = color[0] * 0.3 + color[1] * 0.55 + color[2] * 0.15;
  return mix(color, [luma, luma, luma], 0.7);
}

const DRY = { paint: null, depth: 0 };
/** Walls, bridges and the unknown neither are wet nor end a shore. */
const NEUTRAL = { paint: null, depth: 0 };
const WET = {
  lava: { paint: lava, depth: 0 },
  mud: { paint: mud, depth: 0 },
  shallow: { paint: water, depth: 0 },
  deep: { paint: water, depth: 1 },
};

function wetness(terrain) {
  if (terrain === null || terrain.solid || /bridge|door/.test(terrain.name)) return NEUTRAL;
  if (terrain.lava) return WET.lava;
  if (/bog/.test(terrain.name)) return WET.mud;
  if (terrain.water) return terrain.deep ? WET.deep : WET.shallow;
  return DRY;
}

/** What fills a point of the middle cell of nine, weighed by the nearness of the cells' centres. */
function blend(around, fx, fy) {
  const [sx, sy] = [Math.sign(fx), Math.sign(fy)];
  const [wx, wy] = [Math.abs(fx), Math.abs(fy)];
  let [wet, dry, depth, paint, most] = [0, 0, 0, null, 0];
  const add = (cell, weight) => {
    if (cell === NEUTRAL) return;
    if (!cell.paint) {
      dry += weight;
      return;
    }
    wet += weight;
    depth += cell.depth * weight;
    if (weight > most) [paint, most] = [cell.paint, weight];
  };
  add(around[4], (1 - wx) * (1 - wy));
  add(around[4 + sx], wx * (1 - wy));
  add(around[4 + 3 * sy], (1 - wx) * wy);
  add(around[4 + sx + 3 * sy], wx * wy);
  return { paint, depth: wet > 0 ? depth / wet : 0, share: wet / (wet + dry || 1) };
}

const DEEP = [[8, 30, 66], [22, 66, 122], [120, 186, 230]];
const SHALLOW = [[30, 84, 116], [58, 126, 164], [186, 226, 240]];

function water(x, y, t, depth) {
  const deep = Math.max(0, Math.min(1, (depth + (noise(x * 2.2, y * 2.2, 12) - 0.5) * 0.5 - 0.25) * 2));
  const [dark, bright, foam] = SHALLOW.map((color, i) => mix(color, DEEP[i], deep));
  const swell = noise(x * 0.8 + t * 0.35, y * 0.8 - t * 0.2, 1);
  const bend = noise(x * 1.6 - t * 0.5, y * 1.6 + t * 0.3, 2);
  const ripple = Math.abs(Math.sin(x * 0.6 + y * 1.5 + swell * 4.2 + bend * 2.2 + t * 0.9));
  const crest = Math.max(0, 1 - ripple / 0.32) * (0.25 + 0.75 * bend);
  const color = mix(mix(dark, bright, swell * 0.7 + bend * 0.3), foam, crest * (0.42 - 0.12 * deep));
  return [color, 0.82 + 0.15 * deep];
}

function lava(x, y, t) {
  const flow = noise(x * 0.7 + t * 0.12, y * 0.7 + t * 0.07, 3);
  const vein = Math.abs(noise(x * 1.7 - t * 0.1, y * 1.7 + t * 0.16, 4) - 0.5) * 2;
  const heat = Math.min(1, flow * 0.55 + (1 - vein) * 0.6);
  const crust = [84, 20, 8];
  if (heat < 0.55) return [mix(crust, [226, 70, 14], heat / 0.55), 1];
  return [mix([226, 70, 14], [255, 218, 96], (heat - 0.55) / 0.45), 1];
}

function mud(x, y, t) {
  const slow = noise(x * 1.3 + t * 0.06, y * 1.3, 7);
  const bubble = noise(x * 3.1, y * 3.1 - t * 0.25, 8);
  let color = mix([44, 34, 20], [92, 74, 42], slow);
  if (bubble > 0.8) color = mix(color, [130, 132, 78], 0.5);
  return [color, 0.9];
}

water.shore = [150, 196, 206];
lava.shore = [40, 12, 8];
mud.shore = [38, 30, 20];
