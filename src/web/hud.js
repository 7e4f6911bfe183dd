// Everything on the page around the picture, apart from the pack: figures, log, company, link.

import { cloak } from './draw/icons.js';
import { Minimap } from './draw/minimap.js';
import { ME } from './protocol.js';
import { healthWords, stateWords } from './world.js';

const LINES_SHOWN = 10;
const LINE_FRESH_MS = 12_000;

export const $ = (id) => document.getElementById(id);

/** Makes an element: tag, properties, children. */
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== ''));
  return element;
}

export class Hud {
  constructor(world, session) {
    this.world = world;
    this.session = session;
    this.minimap = new Minimap($('minimap'));
    this.shown = {};
    this.diedAt = null;
    world.addEventListener('line', () => this.drawLog());
  }

  /** Redraws what changed; called after each frame from the server. */
  update() {
    const { world, session } = this;
    const { me, place } = world;
    if (!me) return;
    this.#text('place-name', place.name || 'The Undercroft');
    const named = place.name.toLowerCase() === `floor ${place.depth}`;
    // Arenas lie on no floor; their depth is that of what lies about in them.
    const isFloor = place.zone === place.depth;
    this.#text('place-depth', isFloor && !named ? `floor ${place.depth}` : '');
    this.#text('me-name', session.name || 'You');
    this.#text('me-level', `level ${me.level} · ${me.xp} / ${me.xpNext} xp`);
    const part = me.hpMax ? me.hp / me.hpMax : 0;
    this.#meter('health', part, `${me.hp} / ${me.hpMax}`);
    $('health').classList.toggle('low', part < 0.3);
    this.#meter('experience', me.xpNext ? me.xp / me.xpNext : 0, '');
    this.#stats(me, place);
    this.#effects(me);
    this.#actors();
    const dead = (me.flags & ME.DEAD) !== 0;
    $('death').hidden = !dead;
    if (dead) this.#death();
    else this.diedAt = null;
  }

  /** What the log has said of it: all lines about the player since the last blow. */
  #death() {
    this.diedAt ??= performance.now();
    const told = this.world.lines.filter((l) => l.tone === 'mine' && l.at > this.diedAt - 50);
    $('death').querySelector('p').textContent = told.map((line) => line.text).join(' ');
  }

  #text(id, text) {
    if (this.shown[id] === text) return;
    this.shown[id] = text;
    $(id).textContent = text;
  }

  #meter(id, part, label) {
    const meter = $(id);
    meter.firstElementChild.style.width = `${Math.max(0, Math.min(100, part * 100))}%`;
    meter.lastElementChild.textContent = label;
    meter.title = label;
  }

  #stats(me, place) {
    const sneaking = (me.flags & ME.SNEAKING) !== 0;
    const rows = [
      ['gold', me.gold, 'gold', 'Gold carried'],
      ['depth', place.depth, '', 'Floor of the dungeon'],
      ['str', me.strength, '', 'Strength'],
      ['armour', me.armor, '', 'Armour'],
      ['stealth', me.stealth, '', 'Distance in cells at which sleepers may notice'],
      ['gait', sneaking ? 'soft' : 'walk', '', 'Sneaking is slower and quieter (S)'],
    ];
    const key = rows.map((r) => r[1]).join();
    if (this.shown.stats === key) return;
    this.shown.stats = key;
    $('stats').replaceChildren(
      ...rows.map(([name, value, className, title]) => {
        return el('div', { className, title }, el('dt', {}, name), el('dd', {}, String(value)));
      }),
    );
  }

  #effects(me) {
    const rate = this.session.ticksPerSecond ?? 20;
    const rows = me.effects.map((effect) => {
      const left = (effect.until - (this.world.view.tick >>> 0)) | 0;
      return [effect.kind, Math.max(0, Math.ceil(left / rate))];
    });
    const key = rows.join(';');
    if (this.shown.effects === key) return;
    this.shown.effects = key;
    $('effects').replaceChildren(
      ...rows.map(([kind, seconds]) => {
        const { name, color } = this.world.content.effect(kind);
        const item = el('li', {}, name, el('span', {}, `${seconds}s`));
        item.style.color = color;
        return item;
      }),
    );
  }

  #actors() {
    const { world } = this;
    const { x, y } = world.me.pos;
    const far = (a) => Math.max(Math.abs(a.pos.x - x), Math.abs(a.pos.y - y));
    const actors = world.view.actors
      .filter((a) => a.id !== world.me.id)
      .sort((a, b) => far(a) - far(b))
      .slice(0, 12);
    const key = actors.map((a) => [a.id, a.kind, a.health, a.state, a.name].join()).join(';');
    if (this.shown.actors === key) return;
    this.shown.actors = key;
    $('company').hidden = actors.length === 0;
    $('actors').replaceChildren(...actors.map((actor) => this.#actor(actor)));
  }

  #actor(actor) {
    const { world } = this;
    const kind = world.content.kind(actor.kind);
    const glyph = el('span', { className: 'glyph' }, kind.glyph);
    glyph.style.color = actor.kind === 0 ? cloak(actor.name) : kind.color;
    const fill = el('i');
    const part = (actor.health + 1) / 16;
    fill.style.width = `${part * 100}%`;
    fill.style.background = world.isHostile(actor) ? `hsl(${part * 70} 75% 50%)` : '#57c98a';
    const row = el(
      'li',
      { title: `${healthWords(actor.health)}${kind.description ? `. ${kind.description}` : ''}` },
      glyph,
      el('span', { className: 'name' }, world.actorName(actor)),
      el('span', { className: 'state' }, stateWords(actor.state).split(', ')[0]),
      el('span', { className: 'hp' }, fill),
    );
    row.dataset.id = actor.id;
    return row;
  }

  drawLog() {
    const now = performance.now();
    const lines = this.world.lines.slice(-LINES_SHOWN);
    $('log').replaceChildren(
      ...lines.map((line) => {
        const old = now - line.at > LINE_FRESH_MS ? ' old' : '';
        const times = line.times > 1 ? el('em', {}, `×${line.times}`) : null;
        return el('p', { className: `${line.tone}${old}` }, line.text, times);
      }),
    );
  }

  /** The line about the connection; called a few times a second. */
  drawLink() {
    const { session, world } = this;
    const latency = session.latency === null ? '' : ` ${Math.round(session.latency)} ms`;
    const carrier = session.transport ?? 'offline';
    this.#text('link-state', session.status === 'playing' ? `${carrier}${latency}` : session.status);
    $('link-state').className = session.status;
    this.#text('link-tick', world.view ? `tick ${world.view.tick}` : '');
    $('link-state').title = `${session.status} over ${carrier}`;
  }

  /** A line at the top; null takes it away. */
  banner(text, kind = '') {
    const banner = $('banner');
    banner.hidden = !text;
    banner.className = kind;
    banner.textContent = text ?? '';
  }
}
