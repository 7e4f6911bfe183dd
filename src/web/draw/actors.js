// Who is there: the player, other players and monsters, between two cells while they walk.

import { ME, STATE } from '../protocol.js';
import { spritePosition } from '../world.js';
import { cloak, FONT } from './icons.js';

const MY_CLOAK = 'hsl(38 62% 58%)';

/** Where a sprite stands on the canvas, with its lunge, in cells. */
function place(sprite, now) {
  const at = spritePosition(sprite, now);
  const { lunge } = sprite;
  if (lunge && now - lunge.at < 160) {
    const push = Math.sin(((now - lunge.at) / 160) * Math.PI) * 0.38;
    at.x += lunge.dx * push;
    at.y += lunge.dy * push;
  }
  return at;
}

function each(world, now, draw) {
  const sprites = [...world.sprites.values()].sort((a, b) => a.y - b.y);
  for (const sprite of sprites) draw(sprite, place(sprite, now));
}

/** The figures themselves: drawn over the light, so that nobody is lost in the dark. */
export function drawFigures(ctx, world, icons, toScreen, cell, now) {
  each(world, now, (sprite, at) => {
    const { actor } = sprite;
    const { x, y } = toScreen(at.x, at.y);
    const walking = now - sprite.movedAt < 100;
    const asleep = (actor.state ?? 0) & STATE.ASLEEP;
    const dead = actor.mine && world.me.flags & ME.DEAD;
    const breath = asleep || dead ? 0 : Math.sin(now / 420 + sprite.bornAt) * 0.018;
    const hop = walking ? Math.sin(((now - sprite.movedAt) / 100) * Math.PI) * 0.08 : 0;
    const gone = sprite.goneAt === undefined ? 1 : Math.max(0, 1 - (now - sprite.goneAt) / 350);
    ctx.save();
    ctx.globalAlpha = gone * Math.min(1, (now - sprite.bornAt) / 150 + 0.2) * (asleep ? 0.85 : 1);
    ctx.fillStyle = 'rgba(0,0,0,0.5)';
    ctx.beginPath();
    ctx.ellipse(x + cell / 2, y + cell * 0.88, cell * 0.32, cell * 0.1, 0, 0, 7);
    ctx.fill();
    const picture = pictureOf(world, icons, actor);
    const grow = 1.08 + breath;
    if (dead) layDown(ctx, x, y, cell);
    const [w, h] = [cell * 1.08 * (sprite.actor.mine ? 1.02 : 1), cell * grow];
    ctx.drawImage(picture, x + (cell - w) / 2, y + cell * 0.96 - h - hop * cell, w, h);
    if (now - (sprite.hurtAt ?? -1e9) < 140) {
      ctx.globalCompositeOperation = 'lighter';
      ctx.globalAlpha = 0.75 * (1 - (now - sprite.hurtAt) / 140);
      ctx.drawImage(picture, x + (cell - w) / 2, y + cell * 0.96 - h, w, h);
    }
    ctx.restore();
  });
}

function layDown(ctx, x, y, cell) {
  ctx.translate(x + cell / 2, y + cell * 0.75);
  ctx.rotate(Math.PI / 2);
  ctx.translate(-x - cell / 2, -y - cell / 2);
  ctx.globalAlpha *= 0.7;
}

function pictureOf(world, icons, actor) {
  if (actor.mine) return icons.hero(MY_CLOAK);
  if (actor.kind === 0) return icons.hero(cloak(actor.name));
  return icons.creature(world.content.kind(actor.kind));
}

/** Bars, names and marks, on top of everything and not dimmed by the dark. */
export function drawLabels(ctx, world, toScreen, cell, now) {
  ctx.textAlign = 'center';
  ctx.textBaseline = 'alphabetic';
  each(world, now, (sprite, at) => {
    const { actor } = sprite;
    if (sprite.goneAt !== undefined) return;
    const { x, y } = toScreen(at.x, at.y);
    if (actor.mine) {
      ring(ctx, x, y, cell, now);
      return;
    }
    if (actor.health < 15) bar(ctx, x, y, cell, actor);
    if (actor.kind === 0) name(ctx, x, y, cell, actor);
    marks(ctx, x, y, cell, actor, now);
  });
}

function ring(ctx, x, y, cell, now) {
  ctx.strokeStyle = `rgba(255,214,140,${0.28 + 0.1 * Math.sin(now / 600)})`;
  ctx.lineWidth = Math.max(1, cell * 0.04);
  ctx.beginPath();
  ctx.ellipse(x + cell / 2, y + cell * 0.88, cell * 0.4, cell * 0.15, 0, 0, 7);
  ctx.stroke();
}

function bar(ctx, x, y, cell, actor) {
  const part = (actor.health + 1) / 16;
  const [w, h] = [cell * 0.84, Math.max(3, cell * 0.11)];
  const left = x + (cell - w) / 2;
  const top = y - h * 0.9;
  ctx.fillStyle = 'rgba(6,5,10,0.85)';
  ctx.fillRect(left - 1, top - 1, w + 2, h + 2);
  const friendly = actor.kind === 0 || actor.state & STATE.FRIENDLY;
  ctx.fillStyle = friendly ? '#57c98a' : `hsl(${Math.round(part * 70)} 80% 52%)`;
  ctx.fillRect(left, top, w * part, h);
  ctx.fillStyle = 'rgba(255,255,255,0.25)';
  ctx.fillRect(left, top, w * part, h * 0.4);
}

function name(ctx, x, y, cell, actor) {
  ctx.font = `600 ${Math.max(11, Math.round(cell * 0.36))}px system-ui, sans-serif`;
  ctx.lineJoin = 'round';
  ctx.lineWidth = Math.max(3, cell * 0.1);
  ctx.strokeStyle = 'rgba(6,5,10,0.8)';
  const top = y - cell * 0.18;
  ctx.strokeText(actor.name, x + cell / 2, top);
  ctx.fillStyle = actor.state & STATE.GUARDED ? '#8f8a9c' : cloak(actor.name);
  ctx.fillText(actor.name, x + cell / 2, top);
}

function marks(ctx, x, y, cell, actor, now) {
  let mark = '';
  let color = '#ffffff';
  const { state } = actor;
  if (state & STATE.ASLEEP) [mark, color] = ['z', '#9fb4ff'];
  else if (state & STATE.CONFUSED) [mark, color] = ['?', '#e58cff'];
  else if (state & STATE.FLEEING) [mark, color] = ['»', '#fff2a0'];
  else if (state & STATE.HELD) [mark, color] = ['#', '#e0e0e0'];
  else if (state & STATE.FRIENDLY && actor.kind !== 0) [mark, color] = ['♥', '#6fe0a0'];
  else if (state & STATE.HUNTING) [mark, color] = ['!', '#ff6a5a'];
  if (!mark) return;
  const bob = Math.sin(now / 350 + actor.id) * cell * 0.04;
  ctx.font = `800 ${Math.round(cell * 0.4)}px ${FONT}`;
  ctx.lineWidth = Math.max(2, cell * 0.1);
  ctx.strokeStyle = 'rgba(6,5,10,0.85)';
  ctx.strokeText(mark, x + cell * 0.92, y + cell * 0.3 + bob);
  ctx.fillStyle = color;
  ctx.fillText(mark, x + cell * 0.92, y + cell * 0.3 + bob);
}
