// The picture: camera, layers and their order. Reads the world, changes nothing in it.

import { itemOf, terrainOf } from '../frame.js';
import { spritePosition } from '../world.js';
import { drawFigures, drawLabels } from './actors.js';
import { Effects } from './effects.js';
import { Fluids } from './fluids.js';
import { Icons } from './icons.js';
import { Light } from './light.js';
import { hash } from './noise.js';
import { Tiles } from './tiles.js';

const ZOOMS = [14, 18, 22, 26, 30, 36, 44, 54];
const MARGIN = 1;

export class Renderer {
  constructor(canvas, zoom) {
    this.canvas = canvas;
    this.ctx = canvas.getContext('2d', { alpha: false });
    this.zoom = Math.max(0, Math.min(ZOOMS.length - 1, zoom));
    this.light = new Light();
    this.fluids = new Fluids();
    this.effects = new Effects();
    this.pointer = null;
    this.target = null;
    this.path = null;
    this.inset = { right: 0 };
  }

  changeZoom(by) {
    this.zoom = Math.max(0, Math.min(ZOOMS.length - 1, this.zoom + by));
    return this.zoom;
  }

  #resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    const box = this.canvas.getBoundingClientRect();
    const [w, h] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    this.ratio = ratio;
    const cell = Math.round(ZOOMS[this.zoom] * ratio);
    if (cell !== this.cell) {
      this.cell = cell;
      this.tiles = new Tiles(cell);
      this.icons = new Icons(cell);
    }
  }

  /** The camera keeps the player in the middle of what the panels leave free. */
  #aim(world, now) {
    const { canvas, cell, inset, ratio } = this;
    const me = world.sprites.get('me');
    const at = me ? spritePosition(me, now) : world.me.pos;
    this.centre = at;
    const free = canvas.width - inset.right * ratio;
    this.x0 = Math.round(free / 2 - (at.x + 0.5) * cell);
    this.y0 = Math.round(canvas.height / 2 - (at.y + 0.5) * cell);
    const left = Math.floor(-this.x0 / cell) - MARGIN;
    const top = Math.floor(-this.y0 / cell) - MARGIN;
    const columns = Math.ceil(canvas.width / cell) + 2 * MARGIN + 1;
    const rows = Math.ceil(canvas.height / cell) + 2 * MARGIN + 1;
    this.area = { left, top, columns, rows };
  }

  /** The cell under a point of the canvas, given in CSS pixels. */
  cellAt(x, y) {
    if (!this.cell) return { x: 0, y: 0 };
    return {
      x: Math.floor((x * this.ratio - this.x0) / this.cell),
      y: Math.floor((y * this.ratio - this.y0) / this.cell),
    };
  }

  draw(world, now) {
    this.#resize();
    const { ctx, canvas } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.globalAlpha = 1;
    ctx.globalCompositeOperation = 'source-over';
    ctx.fillStyle = '#050408';
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    if (!world.me) return;
    world.sweep(now);
    this.#aim(world, now);
    const { area, cell } = this;
    const toScreen = (x, y) => ({ x: this.x0 + x * cell, y: this.y0 + y * cell });
    const corner = toScreen(area.left, area.top);
    this.#terrain(world, now);
    this.fluids.drawGround(ctx, world, area, corner.x, corner.y, cell, now);
    this.#above(world, now);
    this.light.update(world, area, now);
    this.light.draw(ctx, corner.x, corner.y, cell);
    drawFigures(ctx, world, this.icons, toScreen, cell, now);
    this.effects.drawGlow(ctx, world, area, toScreen, cell, now);
    this.fluids.drawAir(ctx, world, area, corner.x, corner.y, cell, now);
    this.effects.drawFlights(ctx, world, toScreen, cell, now);
    drawLabels(ctx, world, toScreen, cell, now);
    this.effects.drawFloaters(ctx, world, toScreen, cell, now);
    this.#marks(world, toScreen, now);
    this.#hurt(world, now);
  }

  #terrain(world) {
    const { ctx, area, cell, tiles } = this;
    ctx.imageSmoothingEnabled = false;
    for (let y = area.top; y < area.top + area.rows; y += 1) {
      for (let x = area.left; x < area.left + area.columns; x += 1) {
        const terrain = world.terrain(x, y);
        if (!terrain) continue;
        const grey = !world.sees(x, y);
        const variant = Math.floor(hash(x, y, world.place.zone) * 64);
        const [px, py] = [this.x0 + x * cell, this.y0 + y * cell];
        ctx.drawImage(tiles.of(terrain, variant, partOf(world, terrain, x, y), grey), px, py);
        if (terrain.wall) rim(ctx, world, x, y, px, py, cell);
        else shade(ctx, world, tiles, x, y, px, py);
      }
    }
  }

  /** What stands in or floats on liquids: bridges need nothing more, items do. */
  #above(world, now) {
    const { ctx, area, cell, icons } = this;
    ctx.imageSmoothingEnabled = true;
    for (let y = area.top; y < area.top + area.rows; y += 1) {
      for (let x = area.left; x < area.left + area.columns; x += 1) {
        const value = world.cell(x, y);
        if (value === null || itemOf(value) === 0) continue;
        const picture = icons.item(world.content.look(itemOf(value)));
        const lift = world.sees(x, y) ? Math.sin(now / 500 + x * 2 + y) * cell * 0.025 : 0;
        const wet = world.content.terrain(terrainOf(value)).water ? 0.75 : 1;
        ctx.globalAlpha = wet;
        ctx.drawImage(picture, this.x0 + x * cell, this.y0 + y * cell + lift);
        ctx.globalAlpha = 1;
      }
    }
  }

  #marks(world, toScreen, now) {
    const { ctx, cell, path, pointer, target } = this;
    if (path) {
      ctx.fillStyle = 'rgba(255,220,150,0.4)';
      for (const step of path) {
        const { x, y } = toScreen(step.x + 0.5, step.y + 0.5);
        ctx.beginPath();
        ctx.arc(x, y, cell * 0.09, 0, 7);
        ctx.fill();
      }
    }
    if (target) this.#aimLine(world, toScreen);
    else if (pointer && world.cell(pointer.x, pointer.y) !== null) {
      this.#frame(toScreen(pointer.x, pointer.y), 'rgba(255,236,200,0.5)', now);
    }
  }

  #aimLine(world, toScreen) {
    const { ctx, cell, target } = this;
    const from = toScreen(world.me.pos.x + 0.5, world.me.pos.y + 0.5);
    const to = toScreen(target.x + 0.5, target.y + 0.5);
    const good = world.sees(target.x, target.y);
    const color = good ? 'rgba(255,180,90,0.9)' : 'rgba(220,80,70,0.9)';
    ctx.save();
    ctx.strokeStyle = color;
    ctx.lineWidth = Math.max(1.5, cell * 0.06);
    ctx.setLineDash([cell * 0.16, cell * 0.18]);
    ctx.beginPath();
    ctx.moveTo(from.x, from.y);
    ctx.lineTo(to.x, to.y);
    ctx.stroke();
    ctx.restore();
    this.#frame(toScreen(target.x, target.y), color, 0);
  }

  #frame({ x, y }, color, now) {
    const { ctx, cell } = this;
    const pad = cell * 0.04 + Math.sin(now / 300) * cell * 0.015;
    const side = cell * 0.26;
    ctx.strokeStyle = color;
    ctx.lineWidth = Math.max(1.5, cell * 0.06);
    for (const [cx, cy, dx, dy] of [[x + pad, y + pad, 1, 1], [x + cell - pad, y + pad, -1, 1], [x + pad, y + cell - pad, 1, -1], [x + cell - pad, y + cell - pad, -1, -1]]) {
      ctx.beginPath();
      ctx.moveTo(cx + dx * side, cy);
      ctx.lineTo(cx, cy);
      ctx.lineTo(cx, cy + dy * side);
      ctx.stroke();
    }
  }

  /** The edge of the picture: always a little dark, red when hurt or nearly dead. */
  #hurt(world, now) {
    const { ctx, canvas } = this;
    const part = world.me.hpMax ? world.me.hp / world.me.hpMax : 1;
    const since = Math.max(0, 1 - (now - world.hurtAt) / 500);
    const low = part < 0.3 ? (0.3 - part) * 1.4 * (0.75 + 0.25 * Math.sin(now / 280)) : 0;
    const red = Math.min(0.55, since * 0.4 + low);
    const radius = Math.hypot(canvas.width, canvas.height) / 2;
    const gradient = ctx.createRadialGradient(canvas.width / 2, canvas.height / 2, radius * 0.45, canvas.width / 2, canvas.height / 2, radius);
    gradient.addColorStop(0, 'rgba(0,0,0,0)');
    gradient.addColorStop(1, `rgba(${Math.round(150 * Math.min(1, red * 3))},0,0,${0.5 + red * 0.6})`);
    ctx.fillStyle = gradient;
    ctx.fillRect(0, 0, canvas.width, canvas.height);
  }
}

const isWall = (world, x, y) => {
  const terrain = world.terrain(x, y);
  return terrain === null || terrain.wall;
};

function partOf(world, terrain, x, y) {
  if (terrain.wall) return isWall(world, x, y + 1) ? 'top' : 'face';
  if (/door/.test(terrain.name)) return isWall(world, x - 1, y) && isWall(world, x + 1, y) ? '' : 'side';
  return '';
}

/** A light line where the top of a wall ends at open ground. */
function rim(ctx, world, x, y, px, py, cell) {
  const width = Math.max(1, Math.round(cell * 0.06));
  const open = (cx, cy) => {
    const terrain = world.terrain(cx, cy);
    return terrain !== null && !terrain.wall;
  };
  ctx.fillStyle = 'rgba(190,182,214,0.3)';
  if (open(x, y - 1)) ctx.fillRect(px, py, cell, width);
  ctx.fillStyle = 'rgba(190,182,214,0.16)';
  if (open(x - 1, y)) ctx.fillRect(px, py, width, cell);
  if (open(x + 1, y)) ctx.fillRect(px + cell - width, py, width, cell);
}

function shade(ctx, world, tiles, x, y, px, py) {
  const wall = (cx, cy) => world.terrain(cx, cy)?.wall;
  if (wall(x, y - 1)) ctx.drawImage(tiles.shade.north, px, py);
  if (wall(x - 1, y)) ctx.drawImage(tiles.shade.west, px, py);
  if (wall(x + 1, y)) ctx.drawImage(tiles.shade.east, px, py);
}
