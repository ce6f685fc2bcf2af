// Which tables: by the tree of what the source has, or by a pattern that tables to come may meet as well.
import { html } from '../../vendor/preact.js';
import { counted, topics } from '../../core/draft.js';
import { number, t } from '../../core/i18n.js';
import { Choice } from '../../parts/controls.js';
import Pattern from './pattern.js';
import Topic from './topic.js';
import Tree from './tree.js';

export default function Tables({ draft, change }) {
  if (topics(draft)) return html`<p class="hint">${t('wizard.onetopic')}</p><${Topic} source=${draft.source.name} value=${draft.topic} onInput=${(topic) => change({ topic })} />`;
  const { tables, more } = counted(draft);
  return html`<${Choice} label=${t('wizard.how')} value=${draft.way} onInput=${(way) => change({ way })}
      options=${['tree', 'pattern'].map((way) => [way, t(`wizard.${way}`), t(`wizard.${way}.hint`)])} />
    ${draft.way === 'pattern' ? html`<${Pattern} draft=${draft} change=${change} />` : html`
      <p class="chosen-count" role="status">${t('wizard.chosen', { tables: number(tables), whole: number(more) })}</p>
      <${Tree} draft=${draft} change=${change} />`}`;
}
