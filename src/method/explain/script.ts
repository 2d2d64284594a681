/** @file The one script of a page with heat maps: a tooltip by pointer or keyboard; everything else works without it. */

/**
 * Reads only attributes of tokens and writes only textContent. One token of a map is in the tab order;
 * arrow keys, Home and End move within the map, Escape hides the tooltip.
 */
export const effectMapScript = `
(() => {
  const tip = document.createElement('div');
  tip.id = 'tip'; tip.hidden = true; tip.setAttribute('role', 'tooltip');
  document.body.append(tip);
  let current = null;
  const hide = () => {
    if (current) current.removeAttribute('aria-describedby');
    current = null; tip.hidden = true;
  };
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
