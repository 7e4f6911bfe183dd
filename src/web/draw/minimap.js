// The small map: every known cell as one dot, who is in sight, and where the picture looks.

import { itemOf, terrainOf } from '../frame.js';
import { rgb, scale, sheet } from './noise.js';

export class Minimap {
  constructor(canvas) {
    this.canvas = canvas;
    this.ctx = canvas.getContext('2d');
    this.colors = new Map();
    this.version = -1;
  }

  draw(world, area, now) {
    const { width, height } = world;
    if (!width) return;
    if (this.cells !== world.cells) {
      this.cells = world.cells;
      this.sheet = sheet(width, height);
      this.image = this.sheet.ctx.createImageData(width, height);
      this.version = -1;
    }
    if (this.version !== world.terrainVersion || this.at !== world.me.pos) {
      this.version = world.terrainVersion;
      this.at = world.me.pos;
      this.#paint(world);
    }
    const box = this.canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    const { ctx } = this;
    ctx.clearRect(0, 0, w, h);
    ctx.imageSmoothingEnabled = false;
    const { left, top, right, bottom } = this.known;
    const zoom = Math.min(w / Math.max(right - left, 44), h / Math.max(bottom - top, 28));
    const [x0, y0] = [(w - (left + right) * zoom) / 2, (h - (top + bottom) * zoom) / 2];
    this.place = { zoom: zoom / ratio, x0: x0 / ratio, y0: y0 / ratio };
    ctx.drawImage(this.sheet.canvas, x0, y0, width * zoom, height * zoom);
    const dot = (pos, color, size) => {
      ctx.fillStyle = color;
      const side = Math.max(2, zoom * size);
      ctx.fillRect(x0 + (pos.x + 0.5) * zoom - side / 2, y0 + (pos.y + 0.5) * zoom - side / 2, side, side);
    };
    for (const actor of world.view.actors) dot(actor.pos, world.isHostile(actor) ? '#ff5a4a' : '#6fe0a0', 1.5);
    dot(world.me.pos, Math.sin(now / 250) > -0.4 ? '#ffe9b8' : '#c08a3a', 2);
    ctx.strokeStyle = 'rgba(255,230,180,0.22)';
    ctx.lineWidth = ratio;
    ctx.strokeRect(x0 + area.left * zoom, y0 + area.top * zoom, area.columns * zoom, area.rows * zoom);
  }

  /** The cell under a point of the map, given in CSS pixels from its corner. */
  cellAt(x, y) {
    if (!this.place) return null;
    const { zoom, x0, y0 } = this.place;
    return { x: Math.floor((x - x0) / zoom), y: Math.floor((y - y0) / zoom) };
  }

  #paint(world) {
    const { data } = this.image;
    const { values } = world.cells;
    const known = { left: world.width, top: world.height, right: 0, bottom: 0 };
    for (let index = 0; index < values.length; index += 1) {
      const at = index * 4;
      if (!world.cells.known(index)) {
        data[at + 3] = 0;
        continue;
      }
      const color = this.#color(world, values[index]);
      const [x, y] = [index % world.width, Math.floor(index / world.width)];
      known.left = Math.min(known.left, x - 1);
      known.top = Math.min(known.top, y - 1);
      known.right = Math.max(known.right, x + 2);
      known.bottom = Math.max(known.bottom, y + 2);
      const lit = world.visible[index] ? 1.25 : 0.8;
      data[at] = color[0] * lit;
      data[at + 1] = color[1] * lit;
      data[at + 2] = color[2] * lit;
      data[at + 3] = 255;
    }
    this.known = known;
    this.sheet.ctx.putImageData(this.image, 0, 0);
  }

  #color(world, value) {
    if (itemOf(value)) return [120, 190, 230];
    const number = terrainOf(value);
    let color = this.colors.get(number);
    if (!color) {
      const terrain = world.content.terrain(number);
      color = colorOf(terrain);
      this.colors.set(number, color);
    }
    return color;
  }
}

function colorOf(terrain) {
  if (terrain.glyph === '>' || terrain.glyph === '<') return [255, 216, 120];
  if (terrain.lava) return [208, 74, 20];
  if (terrain.water) return scale(rgb(terrain.fg), 0.6);
  if (terrain.wall || terrain.opaque === terrain.solid && terrain.solid) return [98, 90, 116];
  if (/door/.test(terrain.name)) return [170, 116, 60];
  if (terrain.glyph === '.') return [44, 40, 54];
  return scale(rgb(terrain.fg), 0.45);
}
