// What is shown before the game: a name and a door; logging in, characters, the hall of fame.

import { api, vault } from './api.js';
import { $, el } from './hud.js';
import { NAME_BYTES_MAX } from './protocol.js';

/** The server keeps names that begin with "guest-" for accounts. */
function madeUpName() {
  return `rover-${vault.account().replace(/^guest-/, '')}`.slice(0, NAME_BYTES_MAX);
}

/** Shows the start screen; `play({ token, character } or { resume })` begins the game. */
export class Screens {
  constructor(info, play) {
    this.info = info;
    this.play = play;
    $('start-version').textContent = `${info.name ?? 'undercroft'} ${info.version ?? ''}`;
  }

  hide() {
    $('start').hidden = true;
    $('game').hidden = false;
  }

  /** The first screen; `error` says why the player is back here. */
  show(error = '') {
    $('start').hidden = false;
    $('game').hidden = true;
    this.#home();
    this.#error(error);
  }

  #error(text) {
    $('start-error').textContent = text;
  }

  #body(...children) {
    this.#error('');
    $('start-body').replaceChildren(...children);
    $('start-body').querySelector('input')?.focus();
  }

  #links(...links) {
    const buttons = links.filter(Boolean).map(([label, go]) => {
      const button = el('button', { type: 'button' }, label);
      button.addEventListener('click', () => go());
      return button;
    });
    return el('div', { className: 'links' }, ...buttons);
  }

  /** Runs something that may fail, with the button out of reach meanwhile. */
  async #try(button, action) {
    button.disabled = true;
    this.#error('');
    try {
      await action();
    } catch (error) {
      this.#error(error.message);
    } finally {
      button.disabled = false;
    }
  }

  #form(fields, label, action) {
    const inputs = fields.map(([name, title, options]) => {
      return [name, title, el('input', { name, required: true, ...options })];
    });
    const button = el('button', { className: 'primary' }, label);
    const form = el(
      'form',
      {},
      ...inputs.map(([, title, input]) => el('label', { className: 'field' }, el('span', {}, title), input)),
      button,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      // A password is taken as it is, spaces and all.
      const typed = ({ type, value }) => (type === 'password' ? value : value.trim());
      const values = Object.fromEntries(inputs.map(([name, , input]) => [name, typed(input)]));
      this.#try(button, () => action(values));
    });
    return form;
  }

  #home() {
    const resume = vault.lastResume();
    const account = vault.account();
    const name = vault.lastName();
    const title = account ? 'A name, an old or a new one' : 'Your name';
    const nameField = ['name', title, { maxLength: NAME_BYTES_MAX, value: '', placeholder: (account && name) || 'Ada', required: false }];
    const form = this.#form([nameField], 'Enter the dungeon', (values) => this.playAsGuest(values.name));
    this.#body(
      form,
      this.#links(
        resume && [`Go on as ${name || 'before'}`, () => this.play({ resume, token: vault.token(), character: vault.character() })],
        account && [`Characters of ${account}`, () => this.#characters()],
        ['Log in', () => this.#login()],
        ['Register', () => this.#register()],
        ['Hall of fame', () => this.#fame()],
      ),
    );
  }

  /** One click: an account, unless there is one; a character, unless it has such a one; the game. */
  async playAsGuest(name) {
    const mine = (await this.#mine()) ?? (await api.guest()).characters;
    const same = (c) => c.name.toLowerCase() === name.toLowerCase();
    const character = (name ? mine.find(same) : mine[0]) ?? (await api.create(name || madeUpName()));
    this.play({ token: vault.token(), character: character.id });
  }

  /** The characters of the account that this browser knows, or null. */
  async #mine() {
    if (!vault.token()) return null;
    try {
      return await api.characters();
    } catch (error) {
      if (error.status !== 401) throw error;
      vault.forgetAccount();
      return null;
    }
  }

  #credentials(label, action, hint) {
    const name = ['name', 'Account', { maxLength: NAME_BYTES_MAX, autocomplete: 'username' }];
    const password = ['password', hint, { type: 'password', minLength: 8, maxLength: 128, autocomplete: 'current-password' }];
    return this.#form([name, password], label, async (values) => {
      const account = await action(values.name, values.password);
      this.#people(account.characters);
    });
  }

  #login() {
    const form = this.#credentials('Log in', api.login, 'Password');
    this.#body(form, this.#links(['Register', () => this.#register()], ['Back', () => this.#home()]));
  }

  #register() {
    const form = this.#credentials('Make an account', api.register, 'Password, at least 8 characters');
    this.#body(form, this.#links(['I have one', () => this.#login()], ['Back', () => this.#home()]));
  }

  async #characters() {
    try {
      this.#people(await api.characters());
    } catch (error) {
      if (error.status === 401) vault.forgetAccount();
      this.#home();
      this.#error(error.message);
    }
  }

  #people(characters) {
    const list = characters.map((c) => {
      const where = `level ${c.level} · floor ${c.depth} · ${c.gold} gold`;
      const button = el('button', { type: 'button' }, el('strong', {}, c.name), el('span', {}, where));
      button.addEventListener('click', () => this.play({ token: vault.token(), character: c.id }));
      return el('li', {}, button);
    });
    const field = ['name', 'A new character', { maxLength: NAME_BYTES_MAX, placeholder: 'Name' }];
    const form = this.#form([field], 'Begin', async ({ name }) => {
      const character = await api.create(name);
      this.play({ token: vault.token(), character: character.id });
    });
    const out = () => {
      vault.forgetAccount();
      this.#home();
    };
    this.#body(el('ul', { className: 'people' }, ...list), form, this.#links(['Log out', out], ['Back', () => this.#home()]));
  }

  async #fame() {
    let rows = [];
    try {
      rows = await api.hallOfFame();
    } catch (error) {
      this.#error(error.message);
      return;
    }
    const head = ['', 'Name', 'Level', 'Floor', 'Gold', 'Fate'].map((t) => el('th', {}, t));
    const lines = rows.slice(0, 15).map((row, i) => {
      const cells = [i + 1, row.name, row.level, row.depth, row.gold, row.cause];
      const when = new Date(row.at * 1000).toLocaleString();
      return el('tr', { title: when }, ...cells.map((c) => el('td', {}, String(c))));
    });
    const none = el('p', {}, 'Nobody yet. The stone waits for names.');
    const table = el('table', { className: 'fame' }, el('tr', {}, ...head), ...lines);
    this.#body(lines.length ? table : none, this.#links(['Back', () => this.#home()]));
  }
}

const HELP = [
  ['Walking', [
    ['arrows, numpad, h j k l y u b n', 'walk, open, attack'],
    ['click', 'walk there; a neighbour that is hostile: attack'],
    ['x', 'explore by yourself'],
    ['> <', 'take stairs or a gate (∩), or walk to known ones'],
    ['S', 'sneak, or walk upright'],
    ['z . 5', 'rest a turn'],
    ['s', 'search for secrets'],
  ]],
  ['Things', [
    ['g ,', 'pick up'],
    ['i', 'pack, then the letter of a slot'],
    ['u e z t d', 'in the menu: use, equip, point, throw, drop'],
    ['tab', 'while aiming: the next target; enter or click shoots'],
  ]],
  ['Company', [
    ['enter', 'say something to everyone on the floor'],
    ['m', 'look for a duel, or stop looking'],
    ['pointer', 'names and describes what is under it'],
  ]],
  ['Picture', [
    ['+ −', 'nearer, farther'],
    ['esc', 'stop, close'],
    ['?', 'this page'],
  ]],
];

export function toggleHelp(on = $('help').hidden) {
  const sections = HELP.map(([title, rows]) => {
    const lines = rows.map(([keys, text]) => {
      const caps = keys.split(' ').map((key) => (/^[\w,.><+−?]{1,6}$/.test(key) ? el('kbd', {}, key) : key));
      return el('p', {}, ...caps.flatMap((c) => [c, ' ']), `– ${text}`);
    });
    return el('section', {}, el('h2', {}, title), ...lines);
  });
  $('help').replaceChildren(el('div', {}, ...sections));
  $('help').hidden = !on;
}
