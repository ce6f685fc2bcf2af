// One line over time. The figures are in a caption too, for whoever cannot see the line.
import { html, useEffect, useRef } from '../vendor/preact.js';
import { clock } from '../core/i18n.js';
import uPlot from '../vendor/uplot.js';

const HEIGHT = 180;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** `times` in seconds since 1970; `from` and `to` are the ends of the axis. */
export function Chart({ title, times, values, show, from, to }) {
  const box = useRef(null);
  const plot = useRef(null);
  useEffect(() => {
    const axis = { stroke: colour('--faint'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui' };
    const options = {
      width: box.current.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { y: false },
      // Not less than 4: marks between 0 and 1 would be rounded to the same few figures.
      scales: { y: { range: (_, least, most) => [0, Math.max(most, 4)] } },
      axes: [{ ...axis, size: 26, space: 70, values: (_, marks, _axis, _space, step) => marks.map((mark) => clock(mark, step < 60)) }, { ...axis, size: 70, values: (_, marks) => marks.map((mark) => show(mark)) }],
      series: [{}, { stroke: colour('--accent'), width: 2, fill: colour('--wash'), spanGaps: false, points: { show: false } }],
    };
    plot.current = new uPlot(options, [[], []], box.current);
    const watch = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      plot.current.destroy();
    };
  }, []);
  useEffect(() => {
    plot.current.setData([times, values]);
    // A task that has just begun fills the chart, not its last corner.
    plot.current.setScale('x', { min: Math.max(from, times[0] ?? from), max: to });
  }, [times, values]);
  const last = values.at(-1);
  return html`<figure class="chart"><figcaption>${title} <strong>${show(last)}</strong></figcaption><div ref=${box} aria-hidden="true"></div></figure>`;
}
