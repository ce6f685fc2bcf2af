// A task as the wizard knows it while it is made, and the text that it becomes: the vendor's own form of it.

const place = (workspace) => `disync-draft:${workspace}`;

/** `chosen`: database → its tables, or true for all of them and those to come. `fileId`: of the task, once it is made. */
export const EMPTY = {
  kind: 'DI_SOLUTION', name: '', group: 'group_default', source: null, target: null,
  way: 'tree', chosen: {}, database: '', pattern: '', except: '', topic: '', into: '', schema: 'public', naming: '${srcTableName}', fileId: null,
};

/** What was entered for a workspace stays while the browser's tab does: going to another page, or loading this one anew,
    loses nothing. */
export function kept(workspace) {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(place(workspace))) };
  } catch {
    return EMPTY;
  }
}

export const keep = (workspace, draft) => sessionStorage.setItem(place(workspace), JSON.stringify(draft));
export const forget = (workspace) => sessionStorage.removeItem(place(workspace));

const READS = { DI_SOLUTION: ['mysql'], DI_REALTIME: ['mysql', 'datahub'] };
const WRITES = { DI_SOLUTION: ['holo', 'postgresql'], DI_REALTIME: ['holo', 'postgresql', 'datahub'] };

/** The types of data sources that a kind of task reads from, or writes to. */
export const types = (kind, reads) => (reads ? READS : WRITES)[kind];

const is = (source, type) => source?.type === type;
export const topics = (draft) => is(draft.source, 'datahub');
export const writesTopic = (draft) => is(draft.target, 'datahub');

/** How many tables are chosen in the tree; `more`: databases whose tables to come are meant as well. */
export function counted(draft) {
  const chosen = Object.values(draft.chosen);
  return { tables: chosen.reduce((sum, one) => sum + (one === true ? 0 : one.length), 0), more: chosen.filter((one) => one === true).length };
}

export const STEPS = ['kind', 'ends', 'tables', 'mapping', 'finish'];

/** Whether a step has all that the next one needs. */
export const DONE = {
  kind: (draft) => /^[\w.\u4e00-\u9fff]{1,128}$/.test(draft.name),
  ends: (draft) => ['source', 'target'].every((end) => draft[end] && types(draft.kind, end === 'source').includes(draft[end].type)),
  tables: (draft) => {
    if (topics(draft)) return Boolean(draft.topic);
    if (draft.way === 'pattern') return Boolean(draft.pattern);
    const { tables, more } = counted(draft);
    return tables + more > 0;
  },
  mapping: (draft) => (writesTopic(draft) ? Boolean(draft.into) : Boolean(draft.schema && draft.naming)),
};

/** The first step that is not done; all before it can be gone to. */
export const reached = (draft) => STEPS.findIndex((step) => !DONE[step]?.(draft));

function selection({ source, way, chosen, database, pattern, except }) {
  if (way === 'pattern') {
    const rules = [{ objectType: 'Table', expressionType: 'Regex', expression: pattern, action: 'Include' }];
    if (except) rules.push({ objectType: 'Table', expressionType: 'Regex', expression: except, action: 'Exclude' });
    if (database && database !== source.database) rules.unshift({ objectType: 'Database', expressionType: 'Exact', expression: database, action: 'Include' });
    return { sourceObjectSelectionRules: rules };
  }
  const names = Object.keys(chosen).filter((name) => chosen[name] === true || chosen[name].length);
  if (names.length === 1 && names[0] === source.database) return { table: chosen[names[0]] === true ? [] : chosen[names[0]] };
  return {
    selectedTables: names.map((dbName) => ({
      dbName,
      schema: chosen[dbName] === true ? [] : [{ tableInfos: chosen[dbName].map((table) => ({ enable: true, table, tableName: table })) }],
    })),
  };
}

/** Where tables of several databases would have these before their names, or are to have other names, a rule says so. */
function mapping(draft) {
  const { source, schema, naming, way, chosen } = draft;
  const datasource = [{ tableRule: [], srcDatasourceName: source.name }];
  const several = way === 'tree' && Object.values(chosen).filter((one) => one === true || one.length).length > 1;
  const rules = [];
  if (naming !== EMPTY.naming || several) rules.push(['names', 'Table', naming]);
  if (schema.includes('${')) rules.push(['schemas', 'Schema', schema]);
  if (!rules.length) return { datasource };
  const named = rules.map(([ruleName, ruleTargetType, expression]) => [{ ruleName, ruleActionType: 'Rename', ruleTargetType }, expression]);
  return {
    datasource,
    tableMappings: [{ sourceObjectSelectionRules: [], transformationRules: named.map(([rule]) => rule) }],
    transformationRules: named.map(([rule, expression]) => ({ ...rule, ruleExpression: { expression } })),
  };
}

const reads = (draft) => (topics(draft)
  ? { datasource: draft.source.name, topic: draft.topic, batchSize: 1000 }
  : { connection: [{ datasource: draft.source.name, datasourceType: draft.source.type, ...selection(draft) }] });

const writes = (draft) => (writesTopic(draft)
  ? { datasource: draft.target.name, topic: draft.into, batchSize: 1000 }
  : {
    datasource: draft.target.name, writeMode: 'replay', ...(draft.schema.includes('${') ? {} : { datasourceSchema: draft.schema }), tableMappingRule: mapping(draft),
  });

/** A draft's text, exactly as it will be sent. */
export function textOf(draft) {
  const order = { hops: [{ from: 'reader', to: 'writer' }] };
  const steps = [
    { stepType: draft.source.type, name: 'reader', category: 'reader', parameter: reads(draft) },
    { stepType: draft.target.type, name: 'writer', category: 'writer', parameter: writes(draft) },
  ];
  return JSON.stringify(draft.kind === 'DI_SOLUTION' ? solution(draft, order, steps) : {
    extend: { mode: 'wizard', resourceGroup: draft.group },
    nodeDef: {},
    order,
    setting: { errorLimit: {}, jvmOption: '' },
    steps: steps.map((step, place) => ({ ...step, displayName: draft[place ? 'target' : 'source'].name, gui: { x: 60 + 380 * place, y: 60 } })),
  }, null, 2);
}

function solution({ source, target, group }, order, steps) {
  const kind = target.type;
  return {
    [`${kind}Datasource`]: target.name,
    offlineSyncConfig: { nodeNameRule: `oneclick_${kind}_di_\${db_table_name_src}_to_\${db_table_name_dest}`, resourceGroup: group },
    processRuleId: 1007,
    readerConcurrent: 10,
    realtimeSyncConfig: { content: { order, setting: { speed: { readerConcurrent: 10 } }, steps }, extend: { mode: `migration_${kind}`, resourceGroup: group } },
    setting: { autoCreateWorkflow: true, userDefinedFileNameExpression: 'oneclick' },
    srcType: source.type,
    tableMappingRuleFromRealtimeSyncConfig: steps[1].parameter.tableMappingRule,
  };
}
