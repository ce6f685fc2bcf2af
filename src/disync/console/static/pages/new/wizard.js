// The steps of the wizard: each has an address, and none is lost by going back.
import { html, useEffect, useRef, useState } from '../../vendor/preact.js';
import { DONE, EMPTY, forget, keep, kept, reached, STEPS } from '../../core/draft.js';
import { t } from '../../core/i18n.js';
import { Link, navigate } from '../../core/router.js';
import { Button } from '../../parts/controls.js';
import Ends from './ends.js';
import Finish from './finish.js';
import Kind from './kind.js';
import Mapping from './mapping.js';
import Tables from './tables.js';

const PAGES = { kind: Kind, ends: Ends, tables: Tables, mapping: Mapping, finish: Finish };
const to = (step) => (step === STEPS[0] ? 'new' : `new/${step}`);

export default function Wizard({ workspace, step: wanted }) {
  const [draft, setDraft] = useState(() => kept(workspace));
  const change = (values) => setDraft((before) => {
    const next = { ...before, ...values };
    keep(workspace, next);
    return next;
  });
  const last = reached(draft);
  const at = Math.min(Math.max(STEPS.indexOf(wanted), 0), last);
  const step = STEPS[at];
  const heading = useRef(null);
  const shown = useRef(step);
  // Whoever goes on by keyboard, or hears the page, is at the new step's heading; not when the page is first opened.
  useEffect(() => {
    if (shown.current !== step) heading.current?.focus();
    shown.current = step;
  }, [step]);
  useEffect(() => { if (wanted && wanted !== step) navigate(to(step), { replace: true }); }, [wanted, step]);
  const leave = (path) => {
    forget(workspace);
    setDraft(EMPTY);
    navigate(path);
  };
  const Page = PAGES[step];
  const named = (one, place) => html`<span class="number">${place + 1}</span> <span class="text">${t(`wizard.${one}`)}</span>`;
  return html`<ol class="wizard" aria-label=${t('wizard.steps')}>${STEPS.map((one, place) => html`<li key=${one} class=${place < at ? 'done' : ''} aria-current=${one === step ? 'step' : undefined}>
      ${place <= last && place !== at ? html`<${Link} to=${to(one)}>${named(one, place)}<//>` : html`<span>${named(one, place)}</span>`}
    </li>`)}</ol>
    <h2 class="step" tabindex="-1" ref=${heading}>${t(`wizard.${step}`)}</h2>
    <${Page} draft=${draft} change=${change} leave=${leave} />
    <div class="tools wizard-tools">
      ${at > 0 && html`<${Button} onClick=${() => navigate(to(STEPS[at - 1]))}>${t('wizard.back')}<//>`}
      ${DONE[step] && html`<${Button} kind="primary" disabled=${!DONE[step](draft)} onClick=${() => navigate(to(STEPS[at + 1]))}>${t('wizard.next')}<//>`}
      <span class="grow"></span>
      <${Button} kind="plain" onClick=${() => leave('new')}>${t('wizard.again')}<//>
    </div>`;
}
