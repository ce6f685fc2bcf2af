import { html, useEffect, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { number, t } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Button, Search } from '../../parts/controls.js';
import { complain, Confirm, toast } from '../../parts/dialog.js';
import { Badge, FaultNote, Progress } from '../../parts/show.js';
import { Pager, Table } from '../../parts/table.js';

const SIZE = 50;
const STATES = ['WAIT', 'LOAD', 'FOLLOW', 'DONE', 'FAIL', 'GONE'];

const COLUMNS = [
  { key: 'SourceTable', title: t('tables.source') },
  { key: 'TargetTable', title: t('tables.target') },
  { key: 'Status', title: t('tasks.state'), render: (one) => html`<${Badge} state=${one.Status} />${one.Message && html`<small class="why">${one.Message}</small>`}` },
  { key: 'Progress', title: t('tables.progress'), render: (one) => html`<${Progress} value=${one.Progress} label=${one.SourceTable} /> <small>${number(one.SplitsDone)} / ${number(one.Splits)}</small>` },
  { key: 'RowsWritten', title: t('tasks.rows'), numeric: true, render: (one) => number(one.RowsWritten) },
];

const LOADED = ['LOAD', 'FOLLOW', 'DONE', 'FAIL'];

export default function Tables({ place, again: refresh }) {
  const [keyword, setKeyword] = useState('');
  const [state, setState] = useState('');
  const [page, setPage] = useState(1);
  const [chosen, setChosen] = useState(null);
  useEffect(() => setPage(1), [keyword, state]);
  const asked = { ProjectId: place.ProjectId, FileId: place.FileId, Keyword: keyword || null, Status: state || null, PageNumber: page, PageSize: SIZE };
  const { data, error, again } = usePoll(() => call('ListDISyncInstanceTables', asked).then((answer) => answer.Data), 2000, [JSON.stringify(asked)]);
  const retry = (table) => call('RetryDISyncTables', { ProjectId: place.ProjectId, FileId: place.FileId, Tables: JSON.stringify([table]) }).then(({ Data }) => {
    toast(t(Data.Runs ? 'tables.now' : 'tables.later', { table }));
    again();
    refresh();
  });
  const act = ({ SourceTable: table, Status: status }) => (status === 'FAIL'
    ? html`<${Button} kind="small" onClick=${() => retry(table).catch(complain)}>${t('tables.retry')}<//>`
    : LOADED.includes(status) && html`<${Button} kind="small" onClick=${() => setChosen(table)}>${t('tables.again')}<//>`);
  const columns = [...COLUMNS, { key: 'act', title: t('tables.act'), acts: true, render: act }];
  return html`<div class="tools"><${Search} value=${keyword} onInput=${setKeyword} label=${t('tables.search')} />
    <select aria-label=${t('tasks.state')} value=${state} onChange=${(event) => setState(event.target.value)}>
      <option value="">${t('tasks.allstates')}</option>${STATES.map((one) => html`<option value=${one}>${t(`state.${one}`)}</option>`)}
    </select></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('tab.tables')} columns=${columns} rows=${data.Tables} rowKey=${(one) => one.SourceTable} empty=${t('tables.none')} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}
    ${chosen !== null && html`<${Confirm} title=${t('tables.again')} text=${t('tables.again.text', { table: chosen })} word=${t('tables.again')} danger
      act=${() => retry(chosen)} onClose=${() => setChosen(null)} />`}`;
}
