// Looks for somebody to fight a duel with, and follows the ticket until it has led to the arena.

import { api } from './api.js';

const ASK_AFTER_MS = 1000;
const FAILURES_MAX = 30;
const ENDED = ['over', 'expired', 'cancelled'];

export class Matchmaker {
  /** `say` tells the player a line. */
  constructor(session, say) {
    this.session = session;
    this.say = say;
    this.ticket = null;
  }

  /** Begins to look for an opponent, or stops. */
  async toggle() {
    if (this.ticket) return this.stop('You no longer look for an opponent.');
    // Taken before the answer, so that a second key press is not a second wish.
    this.ticket = { ticket: null };
    this.say('You look for an opponent. Press m again to stop.');
    await this.#try(async () => {
      this.#follow(await api.requestTicket(this.session.character, 'duel', crypto.randomUUID()));
    });
  }

  /** Stops looking, unless the call has come already. */
  async stop(line) {
    const { ticket } = this.ticket ?? {};
    this.#end(line);
    if (ticket) await api.cancelTicket(ticket).catch(() => null);
  }

  #end(line) {
    clearTimeout(this.timer);
    this.ticket = null;
    if (line) this.say(line);
  }

  async #try(action) {
    try {
      await action();
    } catch (error) {
      this.#end(error.message);
    }
  }

  #follow(seen) {
    if (!this.ticket) {
      // The player has stopped while the answer was on its way.
      api.cancelTicket(seen.ticket).catch(() => null);
      return;
    }
    const { state, allocation } = seen;
    if (ENDED.includes(state)) return this.#end('Nobody came to the duel.');
    if (state === 'called' && allocation.progress[this.session.character] === 'arrived') return this.#end();
    const isNew = allocation && !this.ticket.allocation;
    this.ticket = seen;
    if (isNew) {
      const names = allocation.against.map(({ name }) => name).join(' and ');
      this.say(`${names} will meet you in ${allocation.arena}.`);
    }
    const takesUp = state === 'allocated' && !allocation.progress[this.session.character];
    this.timer = setTimeout(() => this.#ask(takesUp), takesUp ? 0 : ASK_AFTER_MS);
  }

  #ask(takesUp, failures = 0) {
    const { ticket } = this.ticket;
    return this.#try(async () => {
      let seen;
      try {
        seen = await (takesUp ? api.takeUp(ticket) : api.ticket(ticket));
      } catch (error) {
        // The ticket lives on while the services are away.
        if (error.status < 500 || failures >= FAILURES_MAX) throw error;
        if (this.ticket) this.timer = setTimeout(() => this.#ask(takesUp, failures + 1), ASK_AFTER_MS);
        return;
      }
      this.#follow(seen);
    });
  }
}
