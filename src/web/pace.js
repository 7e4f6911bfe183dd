// Keeps moves from running ahead of what frames show. A command is acknowledged when the zone has
// queued it, turns before it is carried out, so acknowledgements say nothing about where one is.

import { stepCost } from './path.js';
import { DIRECTIONS } from './protocol.js';

/** Time after which a move that did not happen is given up. */
const STEP_PATIENCE_MS = 450;
/** About a turn: a blow or a bump that changes no position. */
const BLOW_MS = 110;

export class Pace {
  constructor(world, session) {
    this.world = world;
    this.session = session;
    this.pending = [];
  }

  /** Moves that are under way, as far as can be told. */
  get count() {
    return this.pending.length;
  }

  /** Where the player will be once they are done. */
  get ahead() {
    return this.pending.at(-1) ?? this.world.me.pos;
  }

  /** Sends a move; false if it cannot be sent now. */
  move(direction) {
    const { world, session } = this;
    if (!session.command({ kind: 'move', direction })) return false;
    const now = performance.now();
    const { dx, dy } = DIRECTIONS[direction];
    const [x, y] = [this.ahead.x + dx, this.ahead.y + dy];
    const walks = stepCost(world, x, y) < Infinity && !world.actorAt(x, y);
    const at = walks ? { x, y } : { x: this.ahead.x, y: this.ahead.y };
    this.pending.push({ ...at, until: now + (walks ? STEP_PATIENCE_MS : BLOW_MS), walks });
    return true;
  }

  /** Looks at the newest frame: which moves are done, which will never be. */
  handleFrame() {
    const { pos } = this.world.me;
    const now = performance.now();
    const done = this.pending.findLastIndex((p) => p.walks && p.x === pos.x && p.y === pos.y);
    if (done >= 0) {
      this.pending.splice(0, done + 1);
      for (const p of this.pending) p.until = now + STEP_PATIENCE_MS;
    }
    while (this.pending.length > 0 && now > this.pending[0].until) {
      if (this.pending[0].walks) this.pending = [];
      else this.pending.shift();
    }
  }
}
