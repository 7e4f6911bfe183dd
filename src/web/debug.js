// `window.undercroft`: a debugging aid, also used by the tests in a real browser. It can do
// nothing that the keyboard cannot.

import { DIRECTIONS } from './protocol.js';

/** `game` may be null: nothing is being played then. */
export function describeForDebugging(game) {
  const command = (value) => game?.input.command(value) ?? false;
  return {
    /** A plain copy of what is known, for assertions. */
    state: () => stateOf(game),
    /** Moves one step; a number from 0 (north, clockwise) to 7, or a name such as "northeast". */
    move: (direction) => {
      const number = typeof direction === 'number' ? direction : DIRECTIONS.findIndex((d) => d.name === direction);
      return number in DIRECTIONS && command({ kind: 'move', direction: number });
    },
    rest: () => command({ kind: 'rest' }),
    search: () => command({ kind: 'search' }),
    pickUp: () => command({ kind: 'pickup' }),
    useStairs: () => command({ kind: 'stairs' }),
    use: (slot) => command({ kind: 'use', slot }),
    equip: (slot) => command({ kind: 'equip', slot }),
    drop: (slot) => command({ kind: 'drop', slot }),
    throwAt: (slot, x, y) => command({ kind: 'throw', slot, target: { x, y } }),
    useAt: (slot, x, y) => command({ kind: 'useAt', slot, target: { x, y } }),
    sneak: (on) => command({ kind: 'sneak', on: Boolean(on) }),
    say: (text) => game?.session.command({ kind: 'chat', text: String(text) }) ?? false,
    travel: (x, y) => game?.autopilot.travel(x, y),
    explore: () => game?.autopilot.explore(),
    stop: () => game?.autopilot.stop(),
    leave: () => game?.session.leave(),
  };
}

function stateOf(game) {
  const session = game?.session;
  const world = game?.world;
  const me = world?.me;
  return {
    connected: session?.status === 'playing',
    status: session?.status ?? 'idle',
    transport: session?.transport ?? null,
    session: session?.id ?? null,
    character: session?.character ?? null,
    name: session?.name ?? null,
    latency: session?.latency ?? null,
    lastCommand: session?.lastCommand ?? 0,
    waiting: session?.waiting ?? 0,
    travelling: game?.autopilot.active ?? false,
    tick: world?.view?.tick ?? null,
    zone: world?.place?.zone ?? null,
    depth: world?.place?.depth ?? null,
    pos: me ? { ...me.pos } : null,
    hp: me?.hp ?? null,
    hpMax: me?.hpMax ?? null,
    level: me?.level ?? null,
    gold: me?.gold ?? null,
    flags: me?.flags ?? null,
    inventory: world?.view ? world.view.inventory.map((i) => ({ ...i, name: world.content.look(i.look).name })) : [],
    actors: world?.view
      ? world.view.actors.map((a) => ({ id: a.id, kind: a.kind, ...a.pos, health: a.health, state: a.state, name: world.actorName(a) }))
      : [],
    knownCells: world?.cells ? world.cells.values.reduce((n, v) => n + (v !== 0xffffffff ? 1 : 0), 0) : 0,
    log: world ? world.lines.map((line) => line.text) : [],
  };
}
