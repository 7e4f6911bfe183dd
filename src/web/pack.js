// The pack: one row a slot, and the menu of what can be done with it.

import { Icons } from './draw/icons.js';
import { $, el } from './hud.js';
import { ITEM } from './protocol.js';

const ICON_PIXELS = 44;

export const letterOf = (slot) => String.fromCharCode(97 + slot);

export class Pack {
  /** `act` has command(command) and aim(kind, slot, name): what the menu leads to. */
  constructor(world, act) {
    this.world = world;
    this.act = act;
    this.icons = new Icons(ICON_PIXELS);
    this.shown = null;
    this.open = null;
    this.focused = false;
  }

  update() {
    const { inventory } = this.world.view;
    if (this.shown === inventory) return;
    this.shown = inventory;
    if (this.open !== null && !this.item(this.open)) this.close();
    const rows = inventory.map((item) => this.#row(item));
    const empty = el('li', { className: 'empty' }, 'nothing yet');
    $('inventory').replaceChildren(...(rows.length ? rows : [empty]));
  }

  item(slot) {
    return this.world.view?.inventory.find((item) => item.slot === slot);
  }

  /** "+2 rusty sword": what a slot holds, as far as it is known. */
  name(item, count = item.count) {
    const bare = this.world.content.itemName(item.look, count);
    if (!(item.flags & ITEM.IDENTIFIED) || item.enchant === 0) return bare;
    const sign = item.enchant > 0 ? `+${item.enchant}` : String(item.enchant);
    return item.flags & ITEM.WEARABLE ? bare.replace(/^(an?|\d+) /, (a) => `${a.replace('an', 'a')}${sign} `) : `${bare} [${item.enchant}]`;
  }

  #row(item) {
    const look = this.world.content.look(item.look);
    const icon = el('canvas', { width: ICON_PIXELS, height: ICON_PIXELS });
    icon.getContext('2d').drawImage(this.icons.item(look), 0, 0);
    const bad = item.flags & ITEM.MALEVOLENT ? ' bad' : '';
    const worn = item.flags & ITEM.EQUIPPED ? el('small', {}, look.category === 'weapon' ? '● in hand' : '● worn') : null;
    const row = el(
      'li',
      { title: look.description ?? '' },
      el('kbd', {}, letterOf(item.slot)),
      icon,
      el('span', { className: `name${bad}` }, this.name(item)),
      worn,
    );
    row.dataset.slot = item.slot;
    row.addEventListener('click', () => this.choose(item.slot, row));
    return row;
  }

  /** Letters choose slots while the pack has the focus. */
  focus(on) {
    this.focused = on;
    $('pack').classList.toggle('focus', on);
    if (!on) this.close();
  }

  choose(slot, row = document.querySelector(`#inventory [data-slot="${slot}"]`)) {
    const item = this.item(slot);
    if (!item || !row) return;
    this.close();
    this.open = slot;
    row.classList.add('chosen');
    const look = this.world.content.look(item.look);
    const menu = $('menu');
    menu.replaceChildren(
      el('header', {}, el('strong', {}, this.name(item)), el('p', {}, look.description ?? '')),
      ...this.actions(item).map(([key, label, run]) => {
        const button = el('button', { type: 'button' }, el('kbd', {}, key), label);
        button.addEventListener('click', () => this.#run(run));
        return button;
      }),
    );
    menu.hidden = false;
    const box = row.getBoundingClientRect();
    menu.style.right = `${window.innerWidth - box.left + 8}px`;
    menu.style.top = `${Math.max(8, Math.min(box.top, window.innerHeight - menu.offsetHeight - 8))}px`;
  }

  /** What can be done with an item: key, label, action. */
  actions(item) {
    const { slot, flags } = item;
    const name = this.name(item, 1);
    const command = (kind) => () => this.act.command({ kind, slot });
    const list = [];
    if (flags & ITEM.USABLE) list.push(['u', 'use', command('use')]);
    if (flags & ITEM.WEARABLE) list.push(['e', flags & ITEM.EQUIPPED ? 'put away' : 'equip', command('equip')]);
    if (flags & ITEM.TARGETED) list.push(['z', 'point at …', () => this.act.aim('useAt', slot, name)]);
    list.push(['t', 'throw at …', () => this.act.aim('throw', slot, name)]);
    list.push(['d', 'drop', command('drop')]);
    return list;
  }

  #run(action) {
    this.focus(false);
    action();
  }

  /** Takes a key while focused or open; returns whether it was one for the pack. */
  handleKey(key) {
    if (this.open !== null) {
      const found = this.actions(this.item(this.open)).find(([k]) => k === key);
      if (found) this.#run(found[2]);
      else this.focus(false);
      return true;
    }
    if (!this.focused) return false;
    if (/^[a-z]$/.test(key) && this.item(key.charCodeAt(0) - 97)) this.choose(key.charCodeAt(0) - 97);
    else this.focus(false);
    return true;
  }

  close() {
    this.open = null;
    $('menu').hidden = true;
    document.querySelector('#inventory .chosen')?.classList.remove('chosen');
  }
}
