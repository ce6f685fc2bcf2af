// Every write: who, by which door, what, and what came of it.
import { html, useEffect, useState } from '../vendor/preact.js';
import { call } from '../core/api.js';
import { t, time } from '../core/i18n.js';
import { usePoll, useSession, useWorkspace } from '../core/hooks.js';
import { FaultNote } from '../parts/show.js';
import { Pager, Table } from '../parts/table.js';

const SIZE = 50;
const COLUMNS = [
  { key: 'Time', title: t('when'), render: (one) => time(one.Time) },
  { key: 'UserName', title: t('audit.who'), render: (one) => html`${one.UserName || one.UserId}<small>${t(`door.${one.Door}`)}</small>` },
  { key: 'Action', title: t('audit.action') },
  { key: 'Parameters', title: t('audit.what'), render: (one) => html`<code class="wrap">${one.Parameters}</code>` },
  { key: 'Code', title: t('audit.outcome'), render: (one) => html`<span class=${`badge ${one.Code === 'OK' ? 'good' : 'bad'}`}>${one.Code || '…'}</span>
    ${one.Message && html`<small class="why">${one.Message}</small>`}` },
];

export default function Audit() {
  const workspace = useWorkspace();
  const { Root } = useSession();
  const [user, setUser] = useState('');
  const [action, setAction] = useState('');
  const [page, setPage] = useState(1);
  useEffect(() => { document.title = `${t('nav.audit')} · DISync`; }, []);
  useEffect(() => setPage(1), [user, action, workspace]);
  // Root sees every workspace's writes, and those that belong to none, as that of a user.
  const asked = { ProjectId: Root ? null : workspace, UserId: user || null, AuditAction: action || null, PageNumber: page, PageSize: SIZE };
  const { data, error, again } = usePoll(() => call('ListAuditEvents', asked).then((answer) => answer.Data), 5000, [JSON.stringify(asked)]);
  return html`<h1>${t('nav.audit')}</h1>
    <div class="tools"><input type="search" aria-label=${t('people.userid')} placeholder=${t('people.userid')} value=${user} onInput=${(event) => setUser(event.target.value)} />
      <input type="search" aria-label=${t('audit.action')} placeholder=${t('audit.action')} value=${action} onInput=${(event) => setAction(event.target.value)} /></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('nav.audit')} columns=${COLUMNS} rows=${data.Events} rowKey=${(one) => one.Id} empty=${t('audit.none')} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
