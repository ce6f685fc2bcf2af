// What the console's editor needs of CodeMirror 6, in one file.
export { EditorView, keymap, lineNumbers, highlightActiveLine, drawSelection } from '@codemirror/view';
export { EditorState, Compartment } from '@codemirror/state';
export { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
export { autocompletion, completionKeymap, closeBrackets } from '@codemirror/autocomplete';
export { json, jsonParseLinter } from '@codemirror/lang-json';
export {
  bracketMatching, foldGutter, HighlightStyle, indentUnit, syntaxHighlighting, syntaxTree,
} from '@codemirror/language';
export { linter, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
export { tags } from '@lezer/highlight';
