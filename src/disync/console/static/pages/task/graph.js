// The task as its steps and hops say, with what flows along them now.
import { html } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { jobOf, layout } from '../../core/job.js';
import { number, t } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { FaultNote } from '../../parts/show.js';

export const textOf = (place) => call('GetDISyncTask', place).then(({ Data }) => Data.Code ?? Data.SolutionDetail.ProcessContent);

export default function Graph({ place, instance }) {
  const { data: text, error, again } = usePoll(() => textOf(place), 0, [place.FileId]);
  if (!text) return html`<${FaultNote} error=${error} again=${again} />`;
  const job = jobOf(text);
  if (!job) return html`<div class="empty">${t('graph.none')}</div>`;
  const { boxes, lines, width, height } = layout(job);
  const rate = instance.Status === 'RUN' && instance.RowsPerSecond !== null ? t('graph.rate', { rate: number(instance.RowsPerSecond) }) : '';
  return html`<div class="scroll"><svg class="graph" viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} role="img" aria-label=${t('tab.graph')}>
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" class="arrow" /></marker></defs>
    ${lines.map((line) => html`<${Hop} line=${line} rate=${rate} />`)}
    ${boxes.map((box) => html`<${Step} box=${box} lines=${lines} />`)}
  </svg></div>`;
}

/** From the middle of the nearest sides, so that it reads in every layout. */
function Hop({ line: { from, to }, rate }) {
  const across = Math.abs(from.x - to.x) > Math.abs(from.y - to.y);
  const way = Math.sign(across ? to.x - from.x : to.y - from.y) || 1;
  const point = (box, side) => (across
    ? [box.x + box.width / 2 + side * way * box.width / 2, box.y + box.height / 2]
    : [box.x + box.width / 2, box.y + box.height / 2 + side * way * box.height / 2]);
  const [x1, y1] = point(from, 1);
  const [x2, y2] = point(to, -1);
  return html`<g><path class="hop" d=${`M${x1} ${y1} L${x2} ${y2}`} marker-end="url(#arrow)" />
    ${rate && html`<text class="rate" x=${(x1 + x2) / 2 + (across ? 0 : 10)} y=${(y1 + y2) / 2 - (across ? 8 : 0)} text-anchor=${across ? 'middle' : 'start'}>${rate}</text>`}</g>`;
}

function Step({ box, lines }) {
  const { step, x, y, width, height } = box;
  const reads = lines.some((line) => line.from === box);
  const source = step.parameter?.datasource ?? step.parameter?.connection?.[0]?.datasource ?? '';
  const what = [source, step.parameter?.topic ?? step.parameter?.datasourceSchema].filter(Boolean).join(' · ');
  return html`<g transform=${`translate(${x} ${y})`}>
    <rect class=${`step ${reads ? 'reads' : 'writes'}`} width=${width} height=${height} rx="8" />
    <text class="kind" x="14" y="26">${step.stepType} · ${t(reads ? 'graph.reads' : 'graph.writes')}</text>
    <text class="source" x="14" y="46">${what.length > 26 ? `${what.slice(0, 25)}…` : what}<title>${what}</title></text>
  </g>`;
}
