// A new task: step by step, or by its text.
import { html, useEffect } from '../vendor/preact.js';
import { useWorkspace } from '../core/hooks.js';
import { t } from '../core/i18n.js';
import { Tabs } from '../parts/tabs.js';
import ByText from './new/text.js';
import Wizard from './new/wizard.js';

export default function New({ route }) {
  const workspace = useWorkspace();
  const byText = route.parts[1] === 'json';
  useEffect(() => { document.title = `${t('tasks.new')} · DISync`; }, []);
  return html`<h1>${t('tasks.new')}</h1>
    <${Tabs} label=${t('wizard.ways')} active=${byText ? 'json' : 'steps'} tabs=${[['steps', t('wizard.steps')], ['json', t('wizard.json')]]} to=${(key) => (key === 'json' ? 'new/json' : 'new')} />
    <section class="tab">${byText ? html`<${ByText} />` : html`<${Wizard} workspace=${workspace} step=${route.parts[1]} />`}</section>`;
}
