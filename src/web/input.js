// Keys and pointer. Turns them into commands for the session, goals for the autopilot and
// changes of the picture.

import { $ } from './hud.js';
import { findPath } from './path.js';
import { CHAT_BYTES_MAX, clip, directionOf, DIRECTIONS, ME } from './protocol.js';
import { toggleHelp } from './screens.js';

const KEY_DIRECTIONS = {
  ArrowUp: 0, k: 0, Numpad8: 0,
  u: 1, Numpad9: 1, PageUp: 1,
  ArrowRight: 2, l: 2, Numpad6: 2,
  n: 3, Numpad3: 3, PageDown: 3,
  ArrowDown: 4, j: 4, Numpad2: 4,
  b: 5, Numpad1: 5, End: 5,
  ArrowLeft: 6, h: 6, Numpad4: 6,
  y: 7, Numpad7: 7, Home: 7,
};
const GATE = '∩';
const HOLD_MS = 170;
const HELD_AHEAD_MAX = 2;

export class Input {
  /** `game`: { world, session, pace, renderer, hud, pack, autopilot, matchmaker, keepZoom(zoom) }. */
  constructor(game) {
    Object.assign(this, game);
    this.held = new Map();
    this.aiming = null;
    this.pointer = null;
    this.told = '';
    this.listeners = new AbortController();
    const on = (target, type, handler) => {
      target.addEventListener(type, handler, { signal: this.listeners.signal });
    };
    on(window, 'keydown', (event) => this.#keyDown(event));
    on(window, 'keyup', (event) => this.held.delete(event.code));
    on(window, 'blur', () => this.held.clear());
    const { canvas } = this.renderer;
    on(canvas, 'pointermove', (event) => this.#hover(event));
    on(canvas, 'pointerleave', () => this.#unhover());
    on(canvas, 'pointerdown', (event) => this.#press(event));
    on(canvas, 'wheel', (event) => this.#zoom(event.deltaY < 0 ? 1 : -1));
    on($('minimap'), 'pointerdown', (event) => this.#mapPress(event));
    on($('actors'), 'click', (event) => this.#actorPress(event));
    on($('chat'), 'submit', (event) => this.#say(event));
    on($('help-button'), 'click', () => toggleHelp());
    on($('help'), 'click', () => toggleHelp(false));
  }

  end() {
    this.listeners.abort();
    this.#endAim();
    $('chat').hidden = true;
    $('tip').hidden = true;
  }

  /** After each frame: keys that are held go on walking. */
  handleFrame() {
    this.pace.handleFrame();
    this.#describe();
    if (this.aiming) this.renderer.target = this.aiming.at;
    const now = performance.now();
    for (const [, { direction, since }] of this.held) {
      if (now - since < HOLD_MS || this.pace.count >= HELD_AHEAD_MAX) continue;
      if (this.#leads(direction)) this.command({ kind: 'move', direction });
      break;
    }
    this.autopilot.handleFrame();
    this.renderer.path = this.autopilot.active ? this.autopilot.path : null;
  }

  command(command) {
    this.autopilot.stop();
    if (command.kind === 'move') return this.pace.move(command.direction);
    return this.session.command(command);
  }

  /** Whether a held key leads anywhere: not into a wall, again and again. */
  #leads(direction) {
    const { dx, dy } = DIRECTIONS[direction];
    const { x, y } = this.pace.ahead;
    return !(this.world.terrain(x + dx, y + dy)?.solid ?? false);
  }

  #keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) {
      if (event.key === 'Escape') this.#closeChat();
      return;
    }
    if (!this.world.view) return;
    if (this.#key(event)) event.preventDefault();
  }

  #key(event) {
    const { key, code } = event;
    if (!$('help').hidden) {
      toggleHelp(false);
      return true;
    }
    if (key === 'Escape') return this.#escape();
    if (this.aiming) return this.#aimKey(event);
    if (this.pack.handleKey(key)) return true;
    const direction = directionOfKey(event);
    if (direction !== undefined) {
      if (!event.repeat && !this.held.has(code)) {
        this.held.set(code, { direction, since: performance.now() });
        this.command({ kind: 'move', direction });
      }
      return true;
    }
    const act = this.#acts()[code === 'Numpad5' ? '.' : key];
    if (!act) return false;
    if (!event.repeat || key === '.' || key === 'z') act();
    return true;
  }

  #acts() {
    const rest = () => this.command({ kind: 'rest' });
    const pickUp = () => this.command({ kind: 'pickup' });
    const nearer = () => this.#zoom(1);
    return {
      '.': rest,
      z: rest,
      g: pickUp,
      ',': pickUp,
      s: () => this.command({ kind: 'search' }),
      S: () => this.sneak(),
      x: () => this.autopilot.explore(),
      i: () => this.pack.focus(!this.pack.focused),
      '>': () => this.stairs('>'),
      '<': () => this.stairs('<'),
      m: () => this.matchmaker.toggle(),
      Enter: () => this.#openChat(),
      '?': () => toggleHelp(true),
      '+': nearer,
      '=': nearer,
      '-': () => this.#zoom(-1),
    };
  }

  #escape() {
    this.autopilot.stop();
    this.#endAim();
    this.pack.focus(false);
    return true;
  }

  sneak() {
    const on = (this.world.me.flags & ME.SNEAKING) === 0;
    return this.command({ kind: 'sneak', on });
  }

  /** Takes the stairs here, or walks to the nearest known ones first. */
  stairs(glyph) {
    const { world } = this;
    const { x, y } = world.me.pos;
    const here = world.terrain(x, y)?.glyph;
    if (here === glyph || (here === GATE && glyph === '>')) return this.command({ kind: 'stairs' });
    const way = (wanted) => findPath(world, { x, y }, (cx, cy) => world.terrain(cx, cy)?.glyph === wanted);
    // Where no stairs are known, as in an arena, the way is through a gate.
    const steps = way(glyph) ?? (glyph === '>' ? way(GATE) : null);
    if (!steps) {
      world.say('You know of no such stairs that you could reach.', 'plain', performance.now());
      return false;
    }
    const goal = steps.reduce((at, d) => ({ x: at.x + DIRECTIONS[d].dx, y: at.y + DIRECTIONS[d].dy }), { x, y });
    this.autopilot.travel(goal.x, goal.y, { kind: 'stairs' });
    return true;
  }

  #zoom(by) {
    this.keepZoom(this.renderer.changeZoom(by));
  }

  #openChat() {
    this.held.clear();
    $('chat').hidden = false;
    $('chat-text').focus();
  }

  #closeChat() {
    $('chat-text').value = '';
    $('chat').hidden = true;
    $('chat-text').blur();
  }

  #say(event) {
    event.preventDefault();
    const text = clip($('chat-text').value.trim(), CHAT_BYTES_MAX);
    if (text) this.session.command({ kind: 'chat', text });
    this.#closeChat();
  }

  #cellOf(event) {
    return this.renderer.cellAt(event.offsetX, event.offsetY);
  }

  #hover(event) {
    if (!this.world.view) return;
    const { offsetX, offsetY, clientX, clientY } = event;
    this.pointer = { offsetX, offsetY, clientX, clientY };
    if (this.aiming) this.aiming.at = this.#cellOf(event);
    if (this.aiming) this.renderer.target = this.aiming.at;
    this.#describe();
  }

  /** What is under the pointer; the world moves under it as well. */
  #describe() {
    const { pointer } = this;
    if (!pointer) return;
    const at = this.#cellOf(pointer);
    this.renderer.pointer = at;
    const lines = this.world.describe(at.x, at.y);
    const tip = $('tip');
    tip.hidden = !lines;
    if (!lines) return;
    const told = JSON.stringify(lines);
    if (told !== this.told) tip.replaceChildren(...lines.map(tipLine));
    this.told = told;
    const right = pointer.clientX + 290 > window.innerWidth;
    tip.style.left = `${right ? pointer.clientX - tip.offsetWidth - 16 : pointer.clientX + 18}px`;
    tip.style.top = `${Math.min(pointer.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
  }

  #unhover() {
    this.pointer = null;
    this.renderer.pointer = null;
    $('tip').hidden = true;
  }

  #press(event) {
    if (!this.world.view || event.button !== 0) return;
    const at = this.#cellOf(event);
    this.pack.focus(false);
    if (this.aiming) {
      this.#shoot(at);
      return;
    }
    this.goTo(at.x, at.y);
  }

  /** Attacks a neighbour, rests on the own cell, walks anywhere else. */
  goTo(x, y) {
    const { world } = this;
    const { pos } = world.me;
    const direction = directionOf(x - pos.x, y - pos.y);
    const actor = world.actorAt(x, y);
    if (x === pos.x && y === pos.y) this.command({ kind: 'pickup' });
    else if (direction >= 0 && (actor || world.terrain(x, y)?.glyph === '+')) {
      this.command({ kind: 'move', direction });
    } else if (world.cell(x, y) !== null) this.autopilot.travel(x, y);
  }

  #mapPress(event) {
    const at = this.hud.minimap.cellAt(event.offsetX, event.offsetY);
    if (at && this.world.view && this.world.cell(at.x, at.y) !== null) this.autopilot.travel(at.x, at.y);
  }

  #actorPress(event) {
    const id = event.target.closest('li')?.dataset.id;
    const actor = this.world.view?.actors.find((a) => String(a.id) === id);
    if (actor && this.aiming) this.#shoot(actor.pos);
    else if (actor) this.goTo(actor.pos.x, actor.pos.y);
  }

  /** Asks for a cell for `kind` ('throw' or 'useAt') of a slot. */
  aim(kind, slot, name) {
    this.autopilot.stop();
    this.held.clear();
    this.aiming = { kind, slot, at: this.#targets()[0]?.pos ?? this.world.me.pos };
    this.renderer.target = this.aiming.at;
    this.hud.banner(`${kind === 'throw' ? 'Throw' : 'Point'} ${name} where? Click, or tab and enter; esc to stop.`, 'aim');
  }

  #targets() {
    const { world } = this;
    const { x, y } = world.me.pos;
    const far = (a) => Math.hypot(a.pos.x - x, a.pos.y - y);
    return world.view.actors
      .filter((a) => world.isHostile(a) && world.sees(a.pos.x, a.pos.y))
      .sort((a, b) => far(a) - far(b));
  }

  #aimKey(event) {
    const { aiming } = this;
    const direction = directionOfKey(event);
    if (event.key === 'Enter' || event.key === 't' || event.key === 'z') {
      this.#shoot(aiming.at);
    } else if (event.key === 'Tab') {
      const targets = this.#targets();
      const now = targets.findIndex((a) => a.pos.x === aiming.at.x && a.pos.y === aiming.at.y);
      if (targets.length > 0) aiming.at = targets[(now + 1) % targets.length].pos;
    } else if (direction !== undefined) {
      const { dx, dy } = DIRECTIONS[direction];
      aiming.at = { x: aiming.at.x + dx, y: aiming.at.y + dy };
    }
    if (this.aiming) this.renderer.target = aiming.at;
    return true;
  }

  #shoot(target) {
    const { kind, slot } = this.aiming;
    this.#endAim();
    if (this.world.inside(target.x, target.y)) this.command({ kind, slot, target });
  }

  #endAim() {
    if (!this.aiming) return;
    this.aiming = null;
    this.renderer.target = null;
    this.hud.banner(null);
  }
}

function directionOfKey(event) {
  if (event.code.startsWith('Numpad')) return KEY_DIRECTIONS[event.code];
  return KEY_DIRECTIONS[event.key];
}

function tipLine({ title, text }) {
  const line = document.createElement('p');
  if (title) line.append(Object.assign(document.createElement('strong'), { textContent: title }));
  line.append(text);
  return line;
}
