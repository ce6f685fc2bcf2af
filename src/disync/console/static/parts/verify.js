// A verification as a form: all tables, or those that are ticked.
import { html, useState } from '../vendor/preact.js';
import { call } from '../core/api.js';
import { number, t } from '../core/i18n.js';
import { usePoll } from '../core/hooks.js';
import { Button, Search, Select } from './controls.js';
import { Dialog } from './dialog.js';
import { FaultNote } from './show.js';
import { Pager, Table } from './table.js';

const SIZE = 50;
const COLUMNS = [{ key: 'SourceTable', title: t('tables.source') }, { key: 'TargetTable', title: t('tables.target') }];

/** `asked`: the task, as operations name it. `start`: asks for the verification, with these parameters more. */
export function VerifyDialog({ asked, start, onClose }) {
  const [all, setAll] = useState('all');
  const [ticked, setTicked] = useState(new Set());
  const [error, setError] = useState(null);
  const go = async () => {
    try {
      await start(all === 'all' ? {} : { Tables: JSON.stringify([...ticked]) });
      onClose();
    } catch (fault) {
      setError(fault);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>${t('cancel')}<//>
    <${Button} kind="primary" disabled=${all !== 'all' && !ticked.size} onClick=${go}>${t('verify.start')}<//>`;
  return html`<${Dialog} title=${t('verify.title')} onClose=${onClose} actions=${actions}>
    <${Select} label=${t('verify.chosen')} value=${all} onInput=${setAll} hint=${t('verify.load')}
      options=${[['all', t('verify.alltables')], ['some', t('verify.some.tables')]]} />
    ${all !== 'all' && html`<${Choice} asked=${asked} ticked=${ticked} onTick=${setTicked} />`}
    <${FaultNote} error=${error} />
  <//>`;
}

function Choice({ asked, ticked, onTick }) {
  const [keyword, setKeyword] = useState('');
  const [page, setPage] = useState(1);
  const wanted = { ...asked, Keyword: keyword || null, PageNumber: page, PageSize: SIZE };
  const { data, error, again } = usePoll(() => call('ListDISyncInstanceTables', wanted).then((answer) => answer.Data), 0, [JSON.stringify(wanted)]);
  const search = (word) => {
    setKeyword(word);
    setPage(1);
  };
  return html`<div class="tools"><${Search} value=${keyword} onInput=${search} label=${t('tables.search')} /><small>${t('verify.ticked', { count: number(ticked.size) })}</small></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<div class="choice"><${Table} label=${t('tab.tables')} columns=${COLUMNS} rows=${data.Tables} rowKey=${(one) => one.SourceTable} selected=${ticked} onSelect=${onTick} empty=${t('nothing')} /></div>
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
