// A table that can be selected from and paged through.
import { html } from '../vendor/preact.js';
import { number, t } from '../core/i18n.js';

const side = ({ numeric, acts }) => (acts ? 'acts' : numeric ? 'numeric' : '');

/**
 * `columns`: {key, title, render(row), numeric, acts}; one that `acts` has buttons, and comes last. `selected`: a Set of
 * keys, with `onSelect` to replace it.
 * On a narrow screen a row becomes a card: each cell then has its title beside it.
 */
export function Table({ columns, rows, rowKey, selected, onSelect, empty, label }) {
  if (!rows.length) return html`<div class="empty">${empty || t('nothing')}</div>`;
  const all = selected && rows.every((row) => selected.has(rowKey(row)));
  const toggle = (key) => {
    const next = new Set(selected);
    if (!next.delete(key)) next.add(key);
    onSelect(next);
  };
  const toggleAll = () => onSelect(all ? new Set() : new Set(rows.map(rowKey)));
  return html`<div class="scroll"><table aria-label=${label}>
    <thead><tr>
      ${selected && html`<th class="tick"><input type="checkbox" aria-label=${t('select.all')} checked=${all}
        onChange=${toggleAll} /></th>`}
      ${columns.map((column) => html`<th scope="col" class=${side(column)}>${column.title}</th>`)}
    </tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${rowKey(row)}>
      ${selected && html`<td class="tick"><input type="checkbox" checked=${selected.has(rowKey(row))}
        aria-label=${t('select.one', { name: row.Name ?? rowKey(row) })} onChange=${() => toggle(rowKey(row))} /></td>`}
      ${columns.map((column) => html`<td class=${side(column)} data-title=${column.title}>
        ${column.render ? column.render(row) : row[column.key]}</td>`)}
    </tr>`)}</tbody>
  </table></div>`;
}

/** `page` begins at 1. */
export function Pager({ page, size, total, onPage }) {
  const pages = Math.max(1, Math.ceil(total / size));
  if (pages === 1) return null;
  return html`<nav class="pager" aria-label=${t('pages')}>
    <button type="button" class="button small" disabled=${page <= 1} onClick=${() => onPage(page - 1)}>‹ ${t('before')}</button>
    <span>${t('page.of', { page: number(page), pages: number(pages), total: number(total) })}</span>
    <button type="button" class="button small" disabled=${page >= pages} onClick=${() => onPage(page + 1)}>${t('next')} ›</button>
  </nav>`;
}
