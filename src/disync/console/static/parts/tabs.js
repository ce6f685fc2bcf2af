// Tabs with an address each.
import { html } from '../vendor/preact.js';
import { useCurrentInSight } from '../core/hooks.js';
import { Link } from '../core/router.js';

/** `tabs`: [key, title] of each; `to(key)`: its path. */
export function Tabs({ tabs, active, to, label }) {
  const strip = useCurrentInSight(active);
  return html`<nav class="tabs" ref=${strip} aria-label=${label}>${tabs.map(([key, title]) => html`<${Link} to=${to(key)}
    aria-current=${key === active ? 'page' : undefined}>${title}<//>`)}</nav>`;
}
