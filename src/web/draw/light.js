// How bright each cell is: the player's own light, whatever glows, and fire. One pixel a cell,
// stretched smoothly over the picture and multiplied with it.

import { fieldOfView } from '../fov.js';
import { burns, terrainOf } from '../frame.js';
import { noise, sheet } from './noise.js';

const TORCH = { color: [1.15, 0.7, 0.32], radius: 9, flicker: 0.16 };
const ALTAR = { color: [0.55, 0.5, 0.95], radius: 5, flicker: 0.05 };
const LAVA = { color: [0.75, 0.26, 0.07], radius: 3, flicker: 0.12 };
const FUNGUS = { color: [0.16, 0.5, 0.42], radius: 3, flicker: 0.1 };
const FIRE = { color: [1.2, 0.62, 0.2], radius: 5, flicker: 0.35 };
const REMEMBERED = [0.28, 0.3, 0.41];

function sourceOf(terrain) {
  if (!terrain.glows) return null;
  if (terrain.lava) return LAVA;
  if (terrain.torch) return TORCH;
  if (/fungus/.test(terrain.name)) return FUNGUS;
  return ALTAR;
}

export class Light {
  constructor() {
    this.sheet = sheet(1, 1);
    this.reach = new Map();
    this.version = -1;
  }

  /** Works out the light over the cells of `area` ({ left, top, columns, rows }). */
  update(world, area, now) {
    const { columns, rows } = area;
    if (this.columns !== columns || this.rows !== rows) {
      this.sheet = sheet(columns, rows);
      this.image = this.sheet.ctx.createImageData(columns, rows);
      this.values = new Float32Array(columns * rows * 3);
      [this.columns, this.rows] = [columns, rows];
    }
    if (this.version !== world.terrainVersion || this.zone !== world.place.zone) {
      this.reach.clear();
      this.version = world.terrainVersion;
      this.zone = world.place.zone;
    }
    this.area = area;
    this.#own(world, now);
    this.#sources(world, now);
    this.#store(world);
  }

  #own(world, now) {
    const { left, top, columns, rows } = this.area;
    const me = world.sprites.get('me') ?? world.me.pos;
    const reach = world.isDark() ? 9 : 64;
    const breath = 1 + 0.03 * Math.sin(now / 900) + 0.02 * Math.sin(now / 370);
    const depth = Math.min(world.place.depth / 26, 1);
    const ambient = [0.1 + depth * 0.03, 0.11 - depth * 0.03, 0.17 - depth * 0.04];
    let at = 0;
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) {
        const [dx, dy] = [left + i - me.x, top + j - me.y];
        const fall = (1.12 * breath) / (1 + (dx * dx + dy * dy) / reach);
        this.values[at] = ambient[0] + fall * 1.0;
        this.values[at + 1] = ambient[1] + fall * 0.9;
        this.values[at + 2] = ambient[2] + fall * 0.76;
        at += 3;
      }
    }
  }

  #sources(world, now) {
    const { left, top, columns, rows } = this.area;
    const margin = TORCH.radius;
    for (let y = top - margin; y < top + rows + margin; y += 1) {
      for (let x = left - margin; x < left + columns + margin; x += 1) {
        const value = world.cell(x, y);
        if (value === null) continue;
        const source = burns(value) ? FIRE : sourceOf(world.content.terrain(terrainOf(value)));
        if (source) this.#shine(world, x, y, source, now);
      }
    }
  }

  #shine(world, x, y, source, now) {
    const { left, top, columns, rows } = this.area;
    const strength = 1 - source.flicker + 2 * source.flicker * noise(now / 140, x * 7.3 + y * 3.1);
    for (const [cx, cy, fall] of this.#reached(world, x, y, source)) {
      const [i, j] = [cx - left, cy - top];
      if (i < 0 || j < 0 || i >= columns || j >= rows) continue;
      const at = (j * columns + i) * 3;
      for (let c = 0; c < 3; c += 1) this.values[at + c] += source.color[c] * fall * strength;
    }
  }

  /** The cells that a light reaches with its strength there; kept until terrain changes. */
  #reached(world, x, y, source) {
    const key = `${x},${y},${source.radius}`;
    let cells = this.reach.get(key);
    if (cells) return cells;
    const found = new Map();
    const opaque = (cx, cy) => world.terrain(cx, cy)?.opaque ?? true;
    fieldOfView(x, y, source.radius, opaque, (cx, cy) => {
      const near = 1 - Math.hypot(cx - x, cy - y) / (source.radius + 1);
      if (near > 0) found.set(cy * 4096 + cx, [cx, cy, near * near]);
    });
    cells = [...found.values()];
    this.reach.set(key, cells);
    return cells;
  }

  #store(world) {
    const { left, top, columns, rows } = this.area;
    const { data } = this.image;
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) {
        const at = j * columns + i;
        const [x, y] = [left + i, top + j];
        const known = world.cell(x, y) !== null;
        const seen = known && world.sees(x, y);
        const edge = known ? edgeOf(world, x, y) : 0;
        for (let c = 0; c < 3; c += 1) {
          let value = 0;
          if (seen) value = (Math.min(this.values[at * 3 + c], 1.15) / 1.15) * edge;
          else if (known) value = REMEMBERED[c] * edge;
          data[at * 4 + c] = value * 255;
        }
        data[at * 4 + 3] = 255;
      }
    }
    this.sheet.ctx.putImageData(this.image, 0, 0);
  }

  /** Multiplies the picture with the light; `cell` is the side of a cell in pixels. */
  draw(ctx, originX, originY, cell) {
    ctx.save();
    ctx.globalCompositeOperation = 'multiply';
    ctx.imageSmoothingEnabled = true;
    ctx.imageSmoothingQuality = 'high';
    ctx.drawImage(this.sheet.canvas, originX, originY, this.columns * cell, this.rows * cell);
    ctx.restore();
  }
}

/** Cells beside the unknown are darker, so that the edge of what is known is soft. */
function edgeOf(world, x, y) {
  let edge = 1;
  for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) {
    if (world.cell(x + dx, y + dy) === null) edge *= 0.7;
  }
  return edge;
}
