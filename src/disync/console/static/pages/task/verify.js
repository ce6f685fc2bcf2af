// Source and target compared: the verifications of a task, a new one, and the one that is looked at.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { number, t, time } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Button } from '../../parts/controls.js';
import { Badge, FaultNote } from '../../parts/show.js';
import { Pager, Table } from '../../parts/table.js';
import { VerifyDialog } from '../../parts/verify.js';
import { Verification } from './verification.js';

const SIZE = 10;

export default function Verify({ place }) {
  const [page, setPage] = useState(1);
  const [chosen, setChosen] = useState(null);
  const [asking, setAsking] = useState(false);
  const asked = { ProjectId: place.ProjectId, FileId: place.FileId };
  const { data, error, again } = usePoll(() => call('ListDISyncVerifications', { ...asked, PageNumber: page, PageSize: SIZE }).then((answer) => answer.Data), 2000, [place.FileId, page]);
  const start = (more) => call('StartDISyncVerification', { ...asked, ...more }).then(({ Data }) => {
    setPage(1);
    setChosen(Data.VerificationId);
    again();
  });
  if (!data) return html`<${FaultNote} error=${error} again=${again} />`;
  const shown = chosen ?? data.Verifications[0]?.VerificationId;
  const columns = [
    { key: 'StartTime', title: t('when'), render: (one) => html`<button type="button" class="button plain" aria-pressed=${one.VerificationId === shown}
      aria-label=${t('verify.show', { id: one.VerificationId })} onClick=${() => setChosen(one.VerificationId)}>${time(one.StartTime)}</button>` },
    { key: 'State', title: t('tasks.state'), render: (one) => html`<${Badge} state=${one.State} />${one.Repair && html`<small>${t('verify.repairs')}</small>`}` },
    { key: 'TablesDone', title: t('tab.tables'), numeric: true, render: (one) => `${number(one.TablesDone)} / ${number(one.TableCount)}` },
    { key: 'RowsCompared', title: t('verify.rows'), numeric: true, render: (one) => number(one.RowsCompared) },
    { key: 'Differences', title: t('verify.differences'), numeric: true, render: (one) => number(one.Differences) },
    { key: 'User', title: t('audit.who') },
    { key: 'Message', title: t('events.message') },
  ];
  return html`<div class="tools"><${Button} kind="primary" disabled=${Boolean(data.Hindrance)} onClick=${() => setAsking(true)}>${t('verify.start')}<//>
      <span class="hint">${data.Hindrance || t('verify.what')}</span></div>
    <${FaultNote} error=${error} again=${again} />
    ${shown && html`<${Verification} key=${shown} id=${shown} place=${place} start=${start} hindered=${Boolean(data.Hindrance)} />`}
    <h2>${t('verify.all')}</h2>
    <${Table} label=${t('verify.all')} columns=${columns} rows=${data.Verifications} rowKey=${(one) => one.VerificationId} empty=${t('verify.none')} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />
    ${asking && html`<${VerifyDialog} asked=${asked} start=${start} onClose=${() => setAsking(false)} />`}`;
}
