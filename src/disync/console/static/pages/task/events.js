import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { t, time } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { FaultNote } from '../../parts/show.js';
import { Pager, Table } from '../../parts/table.js';

const SIZE = 50;
const COLUMNS = [
  { key: 'Time', title: t('when'), render: (one) => time(one.Time) },
  { key: 'Type', title: t('events.what'), render: (one) => html`${t(`event.${one.Type}`)}<small>${one.Type}</small>` },
  { key: 'Table', title: t('events.table') },
  { key: 'Message', title: t('events.message'), render: (one) => html`${one.Message}<small>${details(one.Detail)}</small>` },
];

/** `name: value` of each member of the detail, which is a JSON object. */
function details(text) {
  try {
    return Object.entries(JSON.parse(text || '{}')).map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' · ');
  } catch {
    return text;
  }
}

export default function Events({ place }) {
  const [page, setPage] = useState(1);
  const asked = { ProjectId: place.ProjectId, FileId: place.FileId, PageNumber: page, PageSize: SIZE };
  const { data, error, again } = usePoll(() => call('ListDISyncInstanceEvents', asked).then((answer) => answer.Data), 5000, [place.FileId, page]);
  return html`<${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('tab.events')} columns=${COLUMNS} rows=${data.Events} rowKey=${(one) => one.Id} empty=${t('events.none')} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
