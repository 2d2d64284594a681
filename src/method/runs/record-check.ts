/** @file Checks of what a run has written about itself, key by key: files may be damaged or changed by hand. */
import { devices, torchDevices } from '../../base/device.ts';
import { NextQuillError } from '../../base/errors.ts';
import { type ObjectiveOptions, resolveObjectiveOptions } from '../objectives/objective-options.ts';
import { objectiveNames, objectiveTable } from '../objectives/objectives.ts';
import { estimatorNames } from '../objectives/plan.ts';
import { promptTemplates, referenceValues } from '../prompts/template.ts';
import { retrievalNames } from '../retrieval/choose.ts';
import { checkSettings, newerSettings, type SettingNumbers } from '../training/settings.ts';

/** Refuses the value of a key unless it is right. */
export type RecordCheck = (key: string, value: unknown, isRight: boolean, expected: string) => void;

/** Makes the error of words such as `step: expected …, got …`. */
export type RecordFailure = (what: string) => NextQuillError;

/** A check that throws what `fail` makes of a wrong key. */
export const recordCheck =
  (fail: RecordFailure): RecordCheck =>
  (key, value, isRight, expected) => {
    if (!isRight) throw fail(`${key}: expected ${expected}, got ${shortJson(value)}`);
  };

const shortJson = (value: unknown) => JSON.stringify(value)?.slice(0, 80) ?? 'nothing';
const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && Number(value) >= least;
const isOneOf = (names: readonly string[], value: unknown) => names.some((name) => name === value);
const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Checks prompt settings as manifest.json and nextquill.json hold them. */
export function checkPrompt(prompt: unknown, key: string, check: RecordCheck): void {
  check(key, prompt, isObject(prompt), 'an object');
  const { template, reference, retrieval, maxTokens, maxHistory, historyStride } = prompt as Record<
    string,
    unknown
  >;
  const templates = promptTemplates.map(({ id }) => id);
  check(`${key}.template`, template, isOneOf(templates, template), templates.join(' or '));
  check(`${key}.reference`, reference, isOneOf(referenceValues, reference), referenceValues.join(' or '));
  const isRetrieval = retrieval === undefined || isOneOf(retrievalNames, retrieval);
  check(`${key}.retrieval`, retrieval, isRetrieval, retrievalNames.join(' or '));
  check(`${key}.maxTokens`, maxTokens, isCount(maxTokens, 1), 'a whole number above 0');
  check(`${key}.maxHistory`, maxHistory, isCount(maxHistory, 0), 'a whole number of at least 0');
  const isStride = historyStride === undefined || isCount(historyStride, 1);
  check(`${key}.historyStride`, historyStride, isStride, 'a whole number above 0');
}

/** Checks every value that resuming a run, or its report, reads. */
export function checkManifest(json: Readonly<Record<string, unknown>>, fail: RecordFailure): void {
  const check = recordCheck(fail);
  const group = (key: string, isOptional = false) => {
    const value = json[key];
    check(key, value, isObject(value) || (isOptional && value === undefined), 'an object');
    return (value ?? {}) as Record<string, unknown>;
  };
  const texts = (key: string, names: readonly string[], isOptional = false) => {
    const values = group(key, isOptional);
    if (json[key] === undefined) return;
    for (const name of names) check(`${key}.${name}`, values[name], isText(values[name]), 'a text');
  };
  const { formatVersion, status, step, totalSteps, reason } = json;
  check('formatVersion', formatVersion, formatVersion === 1, '1');
  const states = ['running', 'stopped', 'failed', 'done'];
  check('status', status, isOneOf(states, status), `one of ${states.join(', ')}`);
  check('step', step, step === undefined || isCount(step, 0), 'a whole number of at least 0');
  check('totalSteps', totalSteps, isCount(totalSteps, 1), 'a whole number above 0');
  check('reason', reason, reason === undefined || isText(reason), 'a text');
  texts('model', ['source', 'hash', 'tokenizerHash']);
  for (const key of json.validation === undefined ? ['data'] : ['data', 'validation']) {
    texts(key, ['source', 'hash', 'promptsHash']);
    const { examples, exampleHashes } = group(key);
    check(`${key}.examples`, examples, isTexts(examples) && examples.length > 0, 'a list of ids');
    const isSameLength = isTexts(exampleHashes) && exampleHashes.length === (examples as string[]).length;
    check(`${key}.exampleHashes`, exampleHashes, isSameLength, `a hash for each of ${key}.examples`);
  }
  texts('estimates', ['hash', 'modelHash'], true);
  texts('versions', ['nextquill', 'node', 'onnxruntime']);
  texts('machine', ['platform', 'processor']);
  const { threads, device, engine } = group('machine');
  check('machine.threads', threads, isCount(threads, 1), 'a whole number above 0');
  check('machine.engine', engine, engine === undefined || engine === 'torch', 'torch or nothing');
  const known = engine === 'torch' ? torchDevices : devices;
  const isDevice = device === undefined || isOneOf(known, device);
  check('machine.device', device, isDevice, `one of ${known.join(', ')}`);
  const memory = group('memory', true);
  for (const [name, value] of Object.entries(memory))
    check(`memory.${name}`, value, isNumber(value), 'a number');
  checkSummary(group('summary', true), json.summary !== undefined, check);
  checkRecipe(group('recipe'), check, fail);
}

function checkSummary(summary: Record<string, unknown>, isThere: boolean, check: RecordCheck): void {
  const numbers = ['steps', 'examplesPerSecond', 'tokensPerSecond', 'peakMemoryBytes', 'finalLoss'];
  for (const name of isThere ? numbers : [])
    check(`summary.${name}`, summary[name], isNumber(summary[name]), 'a number');
  for (const name of ['validationLoss', 'tokensComputed', 'tokensSaved']) {
    const value = summary[name];
    check(`summary.${name}`, value, value === undefined || isNumber(value), 'a number');
  }
  const { best, endedBy } = summary;
  check('summary.best', best, best === undefined || isObject(best), 'an object');
  for (const [name, value] of Object.entries((best ?? {}) as Record<string, unknown>))
    check(`summary.best.${name}`, value, isNumber(value), 'a number');
  check('summary.endedBy', endedBy, endedBy === undefined || endedBy === 'patience', 'patience or nothing');
}

function checkRecipe(recipe: Record<string, unknown>, check: RecordCheck, fail: RecordFailure): void {
  const { objective, objectiveRequested, objectiveOptions, estimator, estimatorModel, lora, prompt } = recipe;
  const names = Object.keys(objectiveTable);
  check('recipe.objective', objective, isOneOf(names, objective), `one of ${names.join(', ')}`);
  check(
    'recipe.objectiveRequested',
    objectiveRequested,
    isOneOf(objectiveNames, objectiveRequested),
    `one of ${objectiveNames.join(', ')}`,
  );
  check('recipe.objectiveOptions', objectiveOptions, isObject(objectiveOptions), 'an object');
  const estimators = estimatorNames.join(', ');
  check('recipe.estimator', estimator, isOneOf(estimatorNames, estimator), `one of ${estimators}`);
  const isModel = estimatorModel === undefined || isText(estimatorModel);
  check('recipe.estimatorModel', estimatorModel, isModel, 'a text');
  check('recipe.lora', lora, lora === undefined || isObject(lora), 'an object');
  if (isObject(lora)) {
    const { targetModules, rsLora } = lora;
    const isList = isTexts(targetModules) && targetModules.length > 0;
    check('recipe.lora.targetModules', targetModules, isList, 'a list of names');
    check('recipe.lora.rsLora', rsLora, rsLora === undefined || typeof rsLora === 'boolean', 'true or false');
  }
  if (prompt !== undefined) checkPrompt(prompt, 'recipe.prompt', check);
  try {
    resolveObjectiveOptions(objectiveOptions as ObjectiveOptions);
    checkSettings({ ...newerSettings, ...recipe } as unknown as SettingNumbers);
  } catch (error) {
    if (error instanceof NextQuillError) throw fail(`recipe.${error.message}`);
    throw error;
  }
}
