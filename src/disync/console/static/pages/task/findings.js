// The rows of a table that differ, by their keys, with what each side has.
import { html, useState } from '../../vendor/preact.js';
import { number, t } from '../../core/i18n.js';
import { Pager, Table } from '../../parts/table.js';

const SIZE = 20;
const WHY = {
  unexplained: 'verify.why.unknown', refused: 'verify.why.refused', unreadable: 'verify.why.unreadable', 'not yet applied': 'verify.why.pending',
  'perhaps not yet applied': 'verify.why.doubtful', "as the task's rules have it": 'verify.why.ruled',
};

const COLUMNS = [
  { key: 'Key', title: t('verify.key'), render: (one) => html`<code class="wrap">${one.Key}</code>` },
  { key: 'What', title: t('verify.what.title'), render: (one) => html`${t(`verify.${one.What}`)}${one.Repaired && html`<small>${t('state.REPAIRED')}</small>`}` },
  { key: 'Source', title: t('tables.source'), render: (one) => html`<${Side} text=${one.Source} />` },
  { key: 'Target', title: t('tables.target'), render: (one) => html`<${Side} text=${one.Target} />` },
  { key: 'Why', title: t('verify.why'), render: (one) => html`${WHY[one.Why] ? t(WHY[one.Why]) : one.Why}${one.Note && html`<small class="why">${one.Note}</small>`}` },
];

/** `text`: a JSON object, or null where this side has no such row. Of a row that both have it is what differs. */
function Side({ text }) {
  if (text === null) return html`<em>${t('verify.absent')}</em>`;
  return html`<dl class="values">${Object.entries(JSON.parse(text)).map(([name, value]) => html`<div><dt>${name}</dt>
    <dd>${value === null ? html`<em>NULL</em>` : value === '' ? '""' : value}</dd></div>`)}</dl>`;
}

export function Findings({ table }) {
  const [page, setPage] = useState(1);
  const found = table.Findings;
  const some = found.slice((page - 1) * SIZE, page * SIZE);
  const all = table.Differences + table.Repaired;
  return html`<h3>${t('verify.found', { table: table.SourceTable })}</h3>
    ${found.length < all && html`<p class="hint">${t('verify.some', { shown: number(found.length), all: number(all) })}</p>`}
    <${Table} label=${t('verify.found', { table: table.SourceTable })} columns=${COLUMNS} rows=${some} rowKey=${(one) => `${one.What} ${one.Key}`} />
    <${Pager} page=${page} size=${SIZE} total=${found.length} onPage=${setPage} />`;
}
