// Rates, delay and memory over the last hour or day.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { bytes, duration, number, t } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Chart } from '../../parts/chart.js';
import { FaultNote } from '../../parts/show.js';

const HOUR = 3600_000;
const CHARTS = [
  ['RowsPerSecond', 'charts.rows', number], ['BytesPerSecond', 'charts.bytes', bytes],
  ['DelayMs', 'charts.delay', duration], ['MemoryBytes', 'charts.memory', bytes],
];

export default function Charts({ place }) {
  const [hours, setHours] = useState(1);
  const { data, error, again } = usePoll(() => {
    const now = Date.now();
    const asked = { ProjectId: place.ProjectId, FileId: place.FileId, StartTime: now - hours * HOUR, EndTime: now };
    return call('GetDISyncInstanceMetrics', asked).then((answer) => ({ samples: answer.Data.Samples, from: asked.StartTime / 1000, to: now / 1000 }));
  }, 10_000, [place.FileId, hours]);
  return html`<div class="tools" role="group" aria-label=${t('charts.range')}>
      ${[[1, t('charts.hour')], [24, t('charts.day')]].map(([many, word]) => html`<button type="button" class=${`button small ${many === hours ? 'primary' : ''}`}
        aria-pressed=${many === hours} onClick=${() => setHours(many)}>${word}</button>`)}</div>
    <${FaultNote} error=${error} again=${again} />
    ${data && (data.samples.length ? html`<div class="charts">${CHARTS.map(([key, title, show]) => html`<${Chart} key=${key} title=${t(title)}
      times=${data.samples.map((one) => one.Time / 1000)} values=${data.samples.map((one) => one[key])}
      show=${show} from=${data.from} to=${data.to} />`)}</div>` : html`<div class="empty">${t('charts.none')}</div>`)}`;
}
