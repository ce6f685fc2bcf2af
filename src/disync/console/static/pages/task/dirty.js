// Rows that the target refused: why, and what is to become of them.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { t, time } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Button } from '../../parts/controls.js';
import { complain, Confirm, toast } from '../../parts/dialog.js';
import { FaultNote } from '../../parts/show.js';
import { Pager, Table } from '../../parts/table.js';

const SIZE = 50;
const COLUMNS = [
  { key: 'Time', title: t('when'), render: (one) => time(one.Time) },
  { key: 'Table', title: t('events.table') },
  { key: 'Reason', title: t('dirty.reason'), render: (one) => html`${one.Reason}<small>${one.Position}</small>` },
  { key: 'Row', title: t('dirty.row'), render: (one) => html`<code class="wrap">${one.Row}${one.Whole ? '' : ' …'}</code>` },
  { key: 'State', title: t('tasks.state'), render: (one) => t(`dirty.${one.State}`) },
];

export default function Dirty({ place, again: refresh }) {
  const [page, setPage] = useState(1);
  const [forget, setForget] = useState(false);
  const asked = { ProjectId: place.ProjectId, FileId: place.FileId };
  const { data, error, again } = usePoll(() => call('ListDISyncDirtyRows', { ...asked, PageNumber: page, PageSize: SIZE }).then((answer) => answer.Data), 5000, [place.FileId, page]);
  const after = () => {
    again();
    refresh();
  };
  const replay = () => call('ReplayDISyncDirtyRows', asked).then(({ Data }) => {
    toast(t(Data.Runs ? 'dirty.now' : 'dirty.later', { rows: Data.Rows }));
    after();
  }, complain);
  return html`<div class="tools"><${Button} disabled=${!data?.Rows.length} onClick=${replay}>${t('dirty.replay')}<//>
      <${Button} kind="danger" disabled=${!data?.Rows.length} onClick=${() => setForget(true)}>${t('dirty.forget')}<//></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('tab.dirty')} columns=${COLUMNS} rows=${data.Rows} rowKey=${(one) => one.Id} empty=${t('dirty.none')} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}
    ${forget && html`<${Confirm} title=${t('dirty.forget')} text=${t('dirty.forget.text')} word=${t('dirty.forget')} danger
      act=${() => call('DropDISyncDirtyRows', asked).then(after)} onClose=${() => setForget(false)} />`}`;
}
