// The steps of a solution, as GetDISyncInstanceInfo tells them. `Info` is a table for a page of the vendor's own kind.
import { html } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { t } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Badge, FaultNote } from '../../parts/show.js';

function rowsOf(info) {
  try {
    return JSON.parse(info)?.fusionProps?.dataSource || [];
  } catch {
    return [];
  }
}

export default function Steps({ place }) {
  const { data, error, again } = usePoll(() => call('GetDISyncInstanceInfo', place).then((answer) => answer.Data.SolutionInfo), 2000, [place.FileId]);
  if (!data) return html`<${FaultNote} error=${error} again=${again} />`;
  return html`<ol class="steps">${data.StepDetail.map((step) => html`<li key=${step.StepId}>
    <h2>${word(`step.${step.StepId}`, step.StepName)} <${Badge} state=${step.Status} /></h2>
    <${Rows} rows=${rowsOf(step.Info)} />
  </li>`)}</ol>`;
}

function Rows({ rows }) {
  if (!rows.length) return null;
  const names = Object.keys(rows[0]);
  return html`<div class="scroll"><table><thead><tr>${names.map((name) => html`<th scope="col">${word(`steps.${name}`, name)}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${names.map((name) => html`<td data-title=${word(`steps.${name}`, name)}>${name === 'status' && row[name] ? html`<${Badge} state=${String(row[name]).toLowerCase()} />` : text(row[name])}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** The page's own word, or what the answer calls it. */
function word(key, name) {
  const found = t(key);
  return found === key ? name : found;
}

const text = (value) => (value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value ?? ''));
