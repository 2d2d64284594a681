/** @file The one script of a page with heat maps: a tooltip by pointer or keyboard; everything else works without it. */

/**
 * Reads only attributes of tokens and items, and writes only textContent, levels and states. One token of a map is in the tab order;
 * arrow keys, Home and End move within the map, Escape hides the tooltip. The token in hand tints the items of its map,
 * a pressed item colours the tokens by what it adds; choosing an effect lets the item go.
 */
export const effectMapScript = `
(() => {
  const tip = document.createElement('div');
  tip.id = 'tip'; tip.hidden = true; tip.setAttribute('role', 'tooltip');
  document.body.append(tip);
  let current = null;
  const hide = () => {
    if (current) { current.removeAttribute('aria-describedby'); tint(current, []); }
    current = null; tip.hidden = true;
  };
  const tint = (token, levels) => token.closest('.map')?.querySelectorAll('.items button').forEach((button, i) => {
    const item = button.closest('li');
    if (levels[i] && levels[i] !== '0') item.dataset.i = levels[i]; else delete item.dataset.i;
  });
  const press = (map, chosen) => {
    map.classList.toggle('of-item', chosen !== null);
    for (const button of map.querySelectorAll('.items button'))
      button.setAttribute('aria-pressed', String(button === chosen));
    for (const token of map.querySelectorAll('.t[data-items]'))
      if (chosen) token.dataset.i = token.dataset.items.split(',')[chosen.dataset.item]; else delete token.dataset.i;
    map.querySelector('.by-item').textContent = chosen
      ? 'The tokens above are coloured by what ' + chosen.textContent.toLowerCase() + ' adds among random others. Press it again to go back.' : '';
  };
  document.addEventListener('click', (event) => {
    const button = event.target.closest('.items button');
    if (button) press(button.closest('.map'), button.getAttribute('aria-pressed') === 'true' ? null : button);
  });
  document.addEventListener('change', (event) => {
    if (event.target.name === 'effect') document.querySelectorAll('.map.of-item').forEach((map) => press(map, null));
  });
  const show = (token) => {
    if (token === current) return;
    hide(); current = token;
    const title = document.createElement('strong');
    const isolate = document.createElement('bdi');
    isolate.textContent = token.dataset.name;
    title.append(isolate);
    const list = document.createElement('dl');
    for (const row of token.dataset.facts.split('|')) {
      const cut = row.indexOf('=');
      const term = document.createElement('dt'), value = document.createElement('dd');
      term.textContent = row.slice(0, cut); value.textContent = row.slice(cut + 1);
      list.append(term, value);
    }
    tip.replaceChildren(title, list);
    tip.hidden = false;
    token.setAttribute('aria-describedby', 'tip');
    tint(token, (token.dataset.items || '').split(','));
    const box = token.getClientRects()[0] || token.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8));
    const below = box.bottom + 8 + tip.offsetHeight < innerHeight;
    tip.style.transform = 'translate(' + Math.round(left) + 'px,' +
      Math.round(below ? box.bottom + 6 : Math.max(4, box.top - tip.offsetHeight - 6)) + 'px)';
  };
  const tokenOf = (event) => event.target.closest ? event.target.closest('.t[data-facts]') : null;
  document.addEventListener('pointerover', (event) => {
    const token = tokenOf(event);
    if (token) show(token); else if (!current || document.activeElement !== current) hide();
  });
  document.addEventListener('focusin', (event) => { const token = tokenOf(event); if (token) show(token); else hide(); });
  document.addEventListener('focusout', hide);
  addEventListener('scroll', () => {
    const focused = document.activeElement;
    hide();
    if (focused && focused.matches('.t[data-facts]')) show(focused);
  }, { passive: true });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return hide();
    const token = tokenOf(event);
    if (!token) return;
    const all = [...token.closest('.prose').querySelectorAll('.t[data-facts]')];
    const at = all.indexOf(token);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + 10, ArrowUp: at - 10, Home: 0, End: all.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = all[Math.max(0, Math.min(all.length - 1, steps[event.key]))];
    token.tabIndex = -1; next.tabIndex = 0; next.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest' });
  });
})();
`;
