// Tasks and solutions, live.
import { html, useEffect, useMemo, useState } from '../vendor/preact.js';
import { call } from '../core/api.js';
import { duration, number, t } from '../core/i18n.js';
import { usePoll, useWorkspace } from '../core/hooks.js';
import { Link } from '../core/router.js';
import { Button, Search } from '../parts/controls.js';
import { toast } from '../parts/dialog.js';
import { Badge, Empty, FaultNote } from '../parts/show.js';
import { Pager, Table } from '../parts/table.js';

const EVERY = 2000;
const SIZE = 20;
const STATES = { DI_REALTIME: ['NORUN', 'WAIT', 'RUN', 'KILLING', 'PAUSE'] };

/** What is shown of a run as its state: a solution has its digit. */
export const stateOf = (one) => one.SolutionStatus || one.Status;

const COLUMNS = [
  { key: 'Name', title: t('tasks.name'), render: (one) => html`<${Link} to=${`tasks/${one.FileId}`} class="name">${one.Name}<//>
    <small>${t(`type.${one.TaskType}`)} · ${one.FileId}</small>` },
  { key: 'Status', title: t('tasks.state'), render: (one) => html`<${Badge} state=${stateOf(one)} stopped=${one.Status === 'PAUSE' && one.Message} />
    ${one.Message && html`<small class="why" title=${one.Message}>${one.Message}</small>`}` },
  { key: 'way', title: t('tasks.way'), render: (one) => `${one.SourceTypes.join(', ')} → ${one.TargetTypes.join(', ')}` },
  { key: 'DelayMs', title: t('tasks.delay'), numeric: true, render: (one) => duration(one.DelayMs) },
  { key: 'RowsPerSecond', title: t('tasks.rate'), numeric: true, render: (one) => number(one.RowsPerSecond) },
  { key: 'RowsWritten', title: t('tasks.rows'), numeric: true, render: (one) => number(one.RowsWritten) },
  { key: 'DirtyRows', title: t('tasks.dirty'), numeric: true, render: (one) => html`<span class=${one.DirtyRows ? 'wrong' : ''}>${number(one.DirtyRows)}</span>` },
  { key: 'Failovers', title: t('tasks.failovers'), numeric: true, render: (one) => number(one.Failovers) },
];

export default function Tasks({ route }) {
  const workspace = useWorkspace();
  const [keyword, setKeyword] = useState(route.query.get('q') || '');
  const [type, setType] = useState('');
  const [state, setState] = useState('');
  const [page, setPage] = useState(1);
  const [selected, setSelected] = useState(new Set());
  useEffect(() => { document.title = `${t('nav.tasks')} · DISync`; }, []);
  useEffect(() => setPage(1), [keyword, type, state, workspace]);
  const asked = { ProjectId: workspace, Keyword: keyword || null, TaskType: type || null, Status: state || null, PageNumber: page, PageSize: SIZE };
  const { data, error, again } = usePoll(() => call('ListDISyncInstances', asked).then((answer) => answer.Data), EVERY, [JSON.stringify(asked)]);
  const rows = data?.Instances || [];
  const chosen = useMemo(() => rows.filter((one) => selected.has(one.FileId)), [rows, selected]);
  const all = async (action) => {
    const outcomes = await Promise.allSettled(chosen.map((one) => call(action, { ProjectId: workspace, FileId: one.FileId, TaskType: one.TaskType })));
    const refused = outcomes.map((outcome, at) => [chosen[at].Name, outcome.reason]).filter(([, reason]) => reason);
    for (const [name, reason] of refused) toast(`${name}: ${reason.message}`, 'bad');
    if (refused.length < chosen.length) toast(t('tasks.done', { count: chosen.length - refused.length }));
    setSelected(new Set());
    again();
  };
  return html`<div class="title"><h1>${t('nav.tasks')}</h1><${Link} to="new" class="button primary">${t('tasks.new')}<//></div>
    <div class="tools">
      <${Search} value=${keyword} onInput=${setKeyword} label=${t('tasks.search')} />
      <select aria-label=${t('tasks.type')} value=${type} onChange=${(event) => setType(event.target.value)}>
        <option value="">${t('tasks.alltypes')}</option>
        ${['DI_REALTIME', 'DI_SOLUTION'].map((one) => html`<option value=${one}>${t(`type.${one}`)}</option>`)}
      </select>
      <select aria-label=${t('tasks.state')} value=${state} onChange=${(event) => setState(event.target.value)}>
        <option value="">${t('tasks.allstates')}</option>
        ${STATES.DI_REALTIME.map((one) => html`<option value=${one}>${t(`state.${one}`)}</option>`)}
      </select>
      <span class="grow"></span>
      <${Button} disabled=${!chosen.length} onClick=${() => all('StartDISyncInstance')}>${t('start')}<//>
      <${Button} disabled=${!chosen.length} onClick=${() => all('StopDISyncInstance')}>${t('stop')}<//>
    </div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('nav.tasks')} columns=${COLUMNS} rows=${rows} rowKey=${(one) => one.FileId} selected=${selected} onSelect=${setSelected}
      empty=${keyword || type || state ? t('tasks.nonesuch') : html`<${Empty}>${t('tasks.none')} <${Link} to="new">${t('tasks.new')}<//><//>`} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
