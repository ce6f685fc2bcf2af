// What is to be made, its name, and where it is to run.
import { html } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { DONE } from '../../core/draft.js';
import { t } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Choice, Select, Text } from '../../parts/controls.js';
import { FaultNote } from '../../parts/show.js';

const KINDS = ['DI_SOLUTION', 'DI_REALTIME'];

const groups = () => call('ListResourceGroups', {}).then(({ Data }) => Data.map((one) => one.Identifier));

export default function Kind({ draft, change }) {
  const { data, error, again } = usePoll(groups, 0, []);
  return html`<${Choice} label=${t('tasks.type')} value=${draft.kind} onInput=${(kind) => change({ kind })}
      options=${KINDS.map((one) => [one, t(`type.${one}`), t(`wizard.${one}`)])} />
    <div class="pair">
      <${Text} label=${t('tasks.name')} value=${draft.name} onInput=${(name) => change({ name })} required
        error=${draft.name && !DONE.kind(draft) ? t('wizard.badname') : ''} />
      <${Select} label=${t('task.group')} value=${draft.group} onInput=${(group) => change({ group })}
        options=${[...new Set([draft.group, ...(data || [])])].map((one) => [one, one])} />
    </div>
    <${FaultNote} error=${error} again=${again} />`;
}
