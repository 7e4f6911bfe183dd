// Walks for the player: to a cell, or to the nearest edge of the unknown. It sends single moves,
// looks again after each frame, and stops at the first sign of trouble.

import { findPath, isFrontier, itemAt, stepCost } from './path.js';
import { DIRECTIONS, ME, STATE } from './protocol.js';

const MOVES_AHEAD_MAX = 2;
const STUCK_FRAMES = 40;

export class Autopilot {
  constructor(world, session, pace) {
    this.world = world;
    this.session = session;
    this.pace = pace;
    this.goal = null;
    this.skipped = new Set();
  }

  get active() {
    return this.goal !== null;
  }

  /** Walks to a cell; `then` is a command to send there. */
  travel(x, y, then = null) {
    this.#begin({ kind: 'travel', x, y, then });
  }

  explore() {
    this.#begin({ kind: 'explore', then: null });
  }

  stop(why = '') {
    if (this.goal && why) this.world.say(why, 'plain', performance.now());
    this.goal = null;
    this.path = null;
  }

  #begin(goal) {
    const { world } = this;
    if (!world.view) return;
    this.goal = goal;
    this.known = new Set(this.#threats());
    this.hp = world.me.hp;
    this.still = 0;
    this.last = '';
    this.zone = world.place.zone;
    if (goal.kind === 'explore' && this.known.size > 0 && this.#awake()) {
      this.stop('Not with enemies in sight.');
      return;
    }
    this.handleFrame();
  }

  #threats() {
    const { world } = this;
    return world.view.actors.filter((a) => world.isHostile(a)).map((a) => `${a.id}.${a.generation}`);
  }

  #awake() {
    const { world } = this;
    return world.view.actors.some((a) => world.isHostile(a) && !(a.state & STATE.ASLEEP));
  }

  /** Looks at the newest frame and goes on, or not. */
  handleFrame() {
    const { goal, world, session } = this;
    if (!goal || !world.view) return;
    const reason = this.#reasonToStop();
    if (reason !== null) {
      this.stop(reason);
      return;
    }
    const limit = goal.kind === 'explore' ? 1 : MOVES_AHEAD_MAX;
    if (this.pace.count >= limit || session.waiting >= MOVES_AHEAD_MAX) return;
    const from = this.pace.ahead;
    if (goal.kind === 'travel' && from.x === goal.x && from.y === goal.y) {
      if (goal.then) session.command(goal.then);
      this.stop();
      return;
    }
    if (goal.kind === 'explore' && this.#takeItem(from)) return;
    const steps = this.#steps(from);
    if (!steps) {
      this.stop(goal.kind === 'explore' ? 'Explored: nothing new can be reached.' : 'No way there.');
      return;
    }
    this.pace.move(steps[0]);
    this.path = trail(from, steps);
  }

  /** Null to go on, else what to say. */
  #reasonToStop() {
    const { world } = this;
    if (world.place.zone !== this.zone || world.me.flags & ME.DEAD) return '';
    if (world.me.hp < this.hp) return 'You stop: you are hurt.';
    this.hp = world.me.hp;
    for (const threat of this.#threats()) {
      if (!this.known.has(threat)) return this.#sighting(threat);
    }
    const { x, y } = world.me.pos;
    const at = `${x},${y}`;
    this.still = at === this.last ? this.still + 1 : 0;
    this.last = at;
    return this.still > STUCK_FRAMES ? 'You stop: something is in the way.' : null;
  }

  #sighting(threat) {
    const { world } = this;
    const actor = world.view.actors.find((a) => `${a.id}.${a.generation}` === threat);
    return `You see ${world.content.whoName({ type: 'actor', ...actor }, () => null)}.`;
  }

  /** Picks up what lies where the player stands, once for each such place. */
  #takeItem({ x, y }) {
    const { world, session } = this;
    const place = `${this.zone}.${x}.${y}.${itemAt(world, x, y)}`;
    if (!itemAt(world, x, y) || this.skipped.has(place)) return false;
    this.skipped.add(place);
    session.command({ kind: 'pickup' });
    return true;
  }

  #steps(from) {
    const { goal, world } = this;
    if (goal.kind === 'travel') {
      return findPath(world, from, (x, y) => x === goal.x && y === goal.y);
    }
    return findPath(world, from, (x, y) => {
      if (stepCost(world, x, y) === Infinity) return false;
      const item = itemAt(world, x, y);
      if (item && !this.skipped.has(`${this.zone}.${x}.${y}.${item}`)) return true;
      return isFrontier(world, x, y);
    });
  }
}

function trail(from, steps) {
  let { x, y } = from;
  return steps.map((direction) => {
    x += DIRECTIONS[direction].dx;
    y += DIRECTIONS[direction].dy;
    return { x, y };
  });
}
