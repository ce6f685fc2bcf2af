// JSON with colours, completion of the members that a task's text knows, and errors at their place.
import { html, useEffect, useRef } from '../vendor/preact.js';

/** Members of the real-time script and of a solution, with what each says. They are offered, never demanded. */
const MEMBERS = [
  'steps', 'stepType', 'name', 'category', 'parameter', 'order', 'hops', 'from', 'to', 'setting', 'errorLimit', 'record', 'speed', 'readerConcurrent', 'concurrent',
  'extend', 'mode', 'resourceGroup', 'gui', 'displayName', 'datasource', 'datasourceType', 'connection', 'table', 'selectedTables', 'topic', 'column', 'batchSize',
  'writeMode', 'keyColumns', 'datasourceSchema', 'tableMappingRule', 'tableRule', 'srcDatasourceName', 'srcDbName', 'srcTable', 'dstTable', 'primaryKeyInfo',
  'dstCreateTableInfo', 'holoDatasource', 'offlineSyncConfig', 'nodeNameRule', 'processRuleId', 'realtimeSyncConfig', 'content', 'autoCreateWorkflow', 'userDefinedFileNameExpression', 'srcType',
].map((label) => ({ label, type: 'property' }));

/** Where in a text a place such as `steps[0].parameter` is; null where there is no such member. */
export function placeOf(cm, state, path) {
  let node = cm.syntaxTree(state).topNode.firstChild;
  for (const part of path.match(/[^.[\]]+/g) || []) {
    if (!node) return null;
    const found = /^\d+$/.test(part) && node.name === 'Array' ? items(node)[Number(part)] : member(state, node, part);
    if (!found) return { from: node.from, to: Math.min(node.to, node.from + 1) };
    node = found;
  }
  return node && { from: node.from, to: node.to };
}

function items(node) {
  const found = [];
  for (let child = node.firstChild; child; child = child.nextSibling) if (!'[],'.includes(child.name)) found.push(child);
  return found;
}

function member(state, node, name) {
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (child.name === 'Property' && state.sliceDoc(child.firstChild.from + 1, child.firstChild.to - 1) === name) return child.lastChild;
  }
  return null;
}

/** `refusal`: what the API said of the text; a place that it names is marked. `label`: what the field is. */
export default function Editor({ value, onInput, refusal, label }) {
  const box = useRef(null);
  const view = useRef(null);
  const tell = useRef(onInput);
  const wanted = useRef(value);
  // What was told and has not come back as `value` yet: the reader types on while the page renders what was typed before.
  const told = useRef([]);
  tell.current = onInput;
  wanted.current = value;
  useEffect(() => {
    let still = true;
    import('../vendor/codemirror.js').then((cm) => {
      if (!still) return;
      view.current = make(cm, box.current, wanted.current, label, (text) => {
        told.current.push(text);
        tell.current(text);
      });
    });
    return () => {
      still = false;
      view.current?.editor.destroy();
    };
  }, []);
  useEffect(() => {
    const own = told.current.lastIndexOf(value);
    if (own >= 0) told.current.splice(0, own + 1);
    else view.current?.replace(value);
  }, [value]);
  useEffect(() => {
    if (view.current) view.current.mark(refusal);
  }, [refusal]);
  return html`<div class="editor" ref=${box}></div>`;
}

const PLACE = /\b((?:steps|order|setting|extend|realtimeSyncConfig|offlineSyncConfig|tableMappingRule|StartParam)(?:\[\d+\]|\.\w+)*)/;

function make(cm, parent, doc, label, changed) {
  const { tags } = cm;
  const colours = cm.HighlightStyle.define([
    { tag: tags.propertyName, color: 'var(--accent)' }, { tag: tags.string, color: 'var(--text)' },
    { tag: [tags.number, tags.bool, tags.null], color: 'var(--good)' }, { tag: tags.punctuation, color: 'var(--faint)' },
  ]);
  const offered = (context) => {
    const word = context.matchBefore(/"\w*/);
    return word && { from: word.from + 1, options: MEMBERS, validFor: /^\w*$/ };
  };
  let replacing = false; // the page knows already what it put here itself
  const nonce = document.querySelector('meta[name=csp-nonce]').content;
  const editor = new cm.EditorView({
    parent,
    doc,
    extensions: [
      cm.EditorView.cspNonce.of(nonce), cm.EditorView.contentAttributes.of({ 'aria-label': label }),
      cm.lineNumbers(), cm.foldGutter(), cm.history(), cm.bracketMatching(), cm.closeBrackets(), cm.json(), cm.lintGutter(),
      cm.linter(cm.jsonParseLinter()), cm.autocompletion({ override: [offered] }), cm.syntaxHighlighting(colours), cm.indentUnit.of('  '),
      cm.keymap.of([...cm.completionKeymap, ...cm.lintKeymap, ...cm.defaultKeymap, ...cm.historyKeymap]),
      cm.EditorView.updateListener.of((update) => update.docChanged && !replacing && changed(update.state.doc.toString())),
      cm.EditorView.theme({
        '&': { backgroundColor: 'var(--card)', color: 'var(--text)', fontSize: '13px', maxHeight: '60vh' }, '.cm-scroller': { fontFamily: 'var(--mono)', overflow: 'auto' },
        '.cm-gutters': { backgroundColor: 'var(--card)', color: 'var(--faint)', border: 'none' }, '.cm-content': { caretColor: 'var(--text)' },
        '.cm-cursor': { borderLeftColor: 'var(--text)' },
      }),
    ],
  });
  const replace = (text) => {
    if (editor.state.doc.toString() === text) return;
    replacing = true;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text } });
    replacing = false;
  };
  // A refusal may name several places, each with what is wrong there.
  const mark = (refusal) => {
    const marks = (refusal || '').split('; ').flatMap((message) => {
      const at = PLACE.test(message) && placeOf(cm, editor.state, message.match(PLACE)[1]);
      return at ? [{ ...at, severity: 'error', message }] : [];
    });
    editor.dispatch(cm.setDiagnostics(editor.state, marks));
    if (marks.length) editor.dispatch({ selection: { anchor: marks[0].from }, scrollIntoView: true });
  };
  return { editor, mark, replace };
}
