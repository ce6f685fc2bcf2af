// Where the task is in its source, split by split; that of a stopped task can be set.
import { html, useContext, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { t, time } from '../../core/i18n.js';
import { Here, usePoll } from '../../core/hooks.js';
import { Area, Button } from '../../parts/controls.js';
import { Dialog, toast } from '../../parts/dialog.js';
import { FaultNote } from '../../parts/show.js';
import { Table } from '../../parts/table.js';

const COLUMNS = [
  { key: 'Split', title: t('checkpoints.split') },
  { key: 'Position', title: t('checkpoints.position'), render: (one) => html`<code class="wrap">${one.Position}</code>${one.Chosen && html`<small>${t('checkpoints.chosen')}</small>`}` },
  { key: 'Done', title: t('tasks.state'), render: (one) => t(one.Done ? 'checkpoints.done' : 'checkpoints.open') },
  { key: 'Time', title: t('when'), render: (one) => time(one.Time) },
];

export default function Checkpoints({ place, instance }) {
  const { served } = useContext(Here);
  const [edited, setEdited] = useState(null);
  const asked = { ProjectId: place.ProjectId, FileId: place.FileId };
  const { data, error, again } = usePoll(() => call('ListDISyncCheckpoints', asked).then((answer) => answer.Data.Checkpoints), 5000, [place.FileId]);
  const stopped = !['RUN', 'WAIT', 'KILLING'].includes(instance.Status);
  const edit = { key: 'edit', title: t('edit'), acts: true, render: (one) => html`<${Button} kind="small" aria-label=${t('checkpoints.edit', { split: one.Split })} onClick=${() => setEdited(one)}>${t('edit')}<//>` };
  const columns = stopped && served('UpdateDISyncCheckpoint') ? [...COLUMNS, edit] : COLUMNS;
  return html`<${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('tab.checkpoints')} columns=${columns} rows=${data} rowKey=${(one) => one.Split} empty=${t('checkpoints.none')} />
      ${!stopped && data.length > 0 && html`<p class="hint">${t('checkpoints.stopfirst')}</p>`}`}
    ${edited && html`<${EditDialog} one=${edited} asked=${asked} again=${again} onClose=${() => setEdited(null)} />`}`;
}

function EditDialog({ one, asked, again, onClose }) {
  const [position, setPosition] = useState(one.Position);
  const [error, setError] = useState(null);
  const save = async () => {
    setError(null);
    try {
      await call('UpdateDISyncCheckpoint', { ...asked, Split: one.Split, Position: position });
      toast(t('checkpoints.set'));
      again();
      onClose();
    } catch (fault) {
      setError(fault);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>${t('cancel')}<//><${Button} kind="danger" disabled=${!position.trim()} onClick=${save}>${t('checkpoints.setit')}<//>`;
  return html`<${Dialog} title=${t('checkpoints.edit', { split: one.Split })} onClose=${onClose} actions=${actions}>
    <div class="warning" role="note"><p>${t('checkpoints.back')}</p><p>${t('checkpoints.forward')}</p></div>
    <${Area} label=${t('checkpoints.position')} value=${position} onInput=${setPosition} rows=${4} hint=${t('checkpoints.hint')} />
    <${FaultNote} error=${error} />
  <//>`;
}
