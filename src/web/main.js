// Starts the page: content, start screen, one game at a time.
//
// Address: ?transport=websocket|webtransport forces a carrier, ?new ignores a kept session,
// ?guest=NAME plays as a guest at once.

import { api, vault } from './api.js';
import { Autopilot } from './autopilot.js';
import { Content } from './content.js';
import { describeForDebugging } from './debug.js';
import { Renderer } from './draw/renderer.js';
import { $, Hud } from './hud.js';
import { Input } from './input.js';
import { Matchmaker } from './matchmaker.js';
import { Pace } from './pace.js';
import { Pack } from './pack.js';
import { Screens } from './screens.js';
import { Session } from './session.js';
import { World } from './world.js';

const LINK_REDRAW_MS = 300;
const ZOOM_DEFAULT = 4;

class Game {
  constructor(info, content, forced, ended) {
    this.ended = ended;
    this.session = new Session(info, forced);
    this.world = new World(content);
    this.renderer = new Renderer($('view'), Number(vault.setting('zoom', ZOOM_DEFAULT)));
    this.hud = new Hud(this.world, this.session);
    this.pace = new Pace(this.world, this.session);
    this.autopilot = new Autopilot(this.world, this.session, this.pace);
    this.pack = new Pack(this.world, {
      command: (command) => this.input.command(command),
      aim: (kind, slot, name) => this.input.aim(kind, slot, name),
    });
    this.matchmaker = new Matchmaker(this.session, (line) => this.world.say(line, 'plain', performance.now()));
    this.keepZoom = (zoom) => vault.keepSetting('zoom', zoom);
    this.input = new Input(this);
    this.session.addEventListener('welcome', () => this.#welcome());
    this.session.addEventListener('status', ({ detail }) => this.#status(detail));
    this.session.addEventListener('frame', ({ detail }) => this.#frame(detail));
    this.session.addEventListener('notice', ({ detail }) => {
      this.world.say(`The message of the day: ${detail}`, 'notice', performance.now());
    });
    this.timer = setInterval(() => this.hud.drawLink(), LINK_REDRAW_MS);
    this.logTimer = setInterval(() => this.hud.drawLog(), 2000);
    this.leave = () => this.session.leave();
    $('leave-button').addEventListener('click', this.leave);
    this.running = true;
    requestAnimationFrame((now) => this.#animate(now));
  }

  #welcome() {
    vault.keepResume(this.session.resume, this.session);
    this.hud.banner(null);
  }

  #status(detail) {
    const { session, hud } = this;
    hud.drawLink();
    if (session.status === 'waiting') hud.banner(`${detail.text} Connecting again …`);
    if (session.status === 'reconnecting') hud.banner('Connecting again …');
    if (session.status !== 'ended') return;
    this.end();
    this.ended(detail);
  }

  #frame(applied) {
    if (!applied.newest) return;
    this.world.apply(this.session.reader, applied, performance.now());
    this.hud.update();
    this.pack.update();
    this.input.handleFrame();
  }

  #animate(now) {
    if (!this.running) return;
    this.renderer.inset.right = $('panel').offsetWidth;
    this.renderer.draw(this.world, now);
    if (this.world.view) this.hud.minimap.draw(this.world, this.renderer.area, now);
    requestAnimationFrame((next) => this.#animate(next));
  }

  end() {
    this.running = false;
    clearInterval(this.timer);
    clearInterval(this.logTimer);
    $('leave-button').removeEventListener('click', this.leave);
    this.autopilot.stop();
    this.input.end();
    this.matchmaker.stop();
    this.pack.close();
    this.hud.banner(null);
  }
}

async function main() {
  const query = new URLSearchParams(location.search);
  const forced = query.get('transport');
  let [info, content] = [null, null];
  for (let attempt = 0; !content; attempt += 1) {
    try {
      [info, content] = await Promise.all([api.info(), api.content()]);
    } catch (error) {
      $('start-error').textContent = `${error.message} Trying again …`;
      await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 8000)));
    }
  }
  $('start-error').textContent = '';

  const play = (credentials) => {
    screens.hide();
    const game = new Game(info, new Content(content), forced, (reason) => {
      // A session that another has replaced never comes back.
      if (['unauthenticated', 'no_character', 'superseded'].includes(reason?.name)) vault.forgetResume();
      if (!reason || reason.name === 'goodbye') vault.forgetResume();
      screens.show(reason && reason.name !== 'goodbye' ? reason.text : '');
    });
    window.undercroft = describeForDebugging(game);
    game.session.start(credentials);
  };
  const screens = new Screens(info, play);

  const resume = query.has('new') ? '' : vault.tabResume();
  if (resume) {
    play({ resume, token: vault.token(), character: vault.character() });
    return;
  }
  screens.show();
  if (query.has('guest')) screens.playAsGuest(query.get('guest')).catch((error) => screens.show(error.message));
}

window.undercroft = describeForDebugging(null);
main();
