// One verification: how far it is, what differs on each side, and its repair.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { duration, number, t, time } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Button } from '../../parts/controls.js';
import { complain, Confirm } from '../../parts/dialog.js';
import { Badge, Facts, FaultNote, Progress } from '../../parts/show.js';
import { Pager, Table } from '../../parts/table.js';
import { Findings } from './findings.js';

const SIZE = 20;
const counts = (one) => [['Missing', 'verify.missing'], ['Extra', 'verify.extra'], ['Different', 'verify.different']]
  .filter(([key]) => one[key]).map(([key, word]) => `${number(one[key])} ${t(word)}`).join(', ');

const COLUMNS = [
  { key: 'SourceTable', title: t('tables.source') },
  { key: 'TargetTable', title: t('tables.target') },
  { key: 'Result', title: t('tasks.state'), render: (one) => html`<${Badge} state=${one.Result} />${one.Message && html`<small class="why">${one.Message}</small>`}` },
  { key: 'Progress', title: t('verify.progress'), render: (one) => html`<${Progress} value=${one.Progress} label=${one.SourceTable} />` },
  { key: 'Rows', title: t('verify.rows'), numeric: true, render: (one) => number(one.Rows) },
  { key: 'Differences', title: t('verify.differences'), numeric: true, render: (one) => html`${number(one.Differences)}${counts(one) && html`<small>${counts(one)}</small>`}` },
];

/** `start`: asks for a new one, with these parameters more. */
export function Verification({ id, place, start, hindered }) {
  const [page, setPage] = useState(1);
  const [live, setLive] = useState(true);
  const [asking, setAsking] = useState(false);
  const { data, error, again } = usePoll(() => call('GetDISyncVerification', { ProjectId: place.ProjectId, VerificationId: id, PageNumber: page, PageSize: SIZE }).then(({ Data }) => {
    setLive(Data.State === 'RUN');
    return Data;
  }), live ? 1000 : 0, [id, page]);
  if (!data) return html`<${FaultNote} error=${error} again=${again} />`;
  const repairing = data.State === 'RUN' && data.Repair && data.TableCount > 0 && data.TablesDone === data.TableCount;
  const wrong = data.State === 'DIFFERENT';
  // It may have ended meanwhile: that is said, and what came of it is shown.
  const stop = () => call('StopDISyncVerification', { ProjectId: place.ProjectId, VerificationId: id }).catch(complain).then(again);
  return html`<section class="verification" aria-label=${t('verify.one', { id })}>
    <div class="title"><h2>${t('verify.one', { id })}</h2><${Badge} state=${data.State} /><span class="grow"></span>
      ${data.State === 'RUN' && html`<${Button} onClick=${stop}>${t('verify.stop')}<//>`}
      ${wrong && html`<${Button} disabled=${hindered} onClick=${() => setAsking(true)}>${t('verify.repair')}<//>`}</div>
    <${FaultNote} error=${error} again=${again} />
    <p role="status" class=${data.State === 'FAIL' || wrong ? 'wrong' : 'hint'}>${repairing ? t('verify.repairing') : data.Message}</p>
    ${data.State === 'RUN' && html`<p><${Progress} value=${data.Progress} label=${t('verify.progress')} /> <small>${number(data.TablesDone)} / ${number(data.TableCount)}</small></p>`}
    <${Facts} facts=${[
      [t('task.started'), time(data.StartTime)], [t('verify.took'), duration(data.EndTime && data.EndTime - data.StartTime)],
      [t('verify.rows'), number(data.RowsCompared)], [t('verify.differences'), number(data.Differences)],
      [t('verify.repaired'), number(data.Repaired)], [t('verify.chosen'), data.Chosen.join(', ') || t('verify.alltables')],
    ]} />
    <${Table} label=${t('tab.tables')} columns=${COLUMNS} rows=${data.Tables} rowKey=${(one) => `${one.SourceTable}\n${one.TargetTable}`} empty=${t(data.State === 'RUN' ? 'loading' : 'nothing')} />
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />
    ${data.Tables.filter((one) => one.Findings.length).map((one) => html`<${Findings} key=${one.SourceTable} table=${one} />`)}
    ${asking && html`<${Confirm} title=${t('verify.ask')} text=${t('verify.ask.text', { rows: number(data.Differences) })} word=${t('verify.repair')}
      act=${() => start({ Repair: true, Tables: JSON.stringify(data.Chosen) })} onClose=${() => setAsking(false)} />`}
  </section>`;
}
