/** Which models there are, which one is chosen for a new conversation, and where an answer would come from. */
import { useQuery } from '@tanstack/react-query';

import { fetchModels } from '../../api/modelCalls.js';
import { keys } from '../../app/cache.js';
import { createStore, useStore } from '../../ui/store.js';

/** @typedef {import('../../api/types.js').ModelInfo} ModelInfo */
/** @typedef {import('../../api/types.js').ModelList} ModelList */
/** @typedef {import('../../api/types.js').RunnerInfo} RunnerInfo */

/** The choice for the next new conversation; empty: the default. */
const chosenForNew = createStore('');

export const useChosenForNew = () => useStore(chosenForNew);
/** @param {string} id */
export const chooseForNew = (id) => chosenForNew.set(id);

export function useModels() {
  return useQuery({
    queryKey: keys.models,
    queryFn: ({ signal }) => fetchModels(signal),
    staleTime: 60_000,
    // A runner that was down comes back without anybody telling the browser.
    refetchInterval: (query) => (query.state.data && allAnswer(query.state.data) ? false : 15_000),
    retry: false,
  });
}

/**
 * @param {ModelList|undefined} list
 * @param {string} id empty: the default
 * @returns {ModelInfo|undefined}
 */
export function findModel(list, id) {
  if (!list) return undefined;
  if (id) return list.results.find((model) => model.id === id);
  return list.results.find((model) => model.default) ?? list.results[0];
}

/** @param {ModelList} list */
const allAnswer = ({ results, runners }) => results.some((model) => model.reachable) && runners.every((runner) => runner.reachable);

/** A model that an earlier runner offers too goes by RUNNER::MODEL. */
const WITH_RUNNER = /^[a-z0-9-]{1,32}::(?=.)/;

/** @param {string} id */
export const withoutRunner = (id) => id.replace(WITH_RUNNER, '');

/**
 * @param {ModelList|undefined} list
 * @param {string|null} id
 */
export function modelName(list, id) {
  if (!id) return 'Model';
  return withoutRunner(list?.results.find((model) => model.id === id)?.name ?? id);
}

/**
 * Where a model stands alone, and not below its runner: with the runner where the name alone does not say which it is.
 * @param {ModelList|undefined} list
 * @param {ModelInfo} model
 */
export function fullName(list, model) {
  const name = withoutRunner(model.name);
  const others = list?.results.filter((other) => other.id !== model.id && withoutRunner(other.name) === name) ?? [];
  return others.length > 0 ? `${name} · ${model.runner}` : name;
}

/**
 * @typedef {object} RunnerGroup
 * @property {string} runner its name
 * @property {ModelInfo[]} models
 * @property {string} trouble why it cannot be asked now; '' when all is well
 */

/**
 * The models below their runners, in the order in which the runners are configured.
 * @param {ModelList} list
 * @returns {RunnerGroup[]}
 */
export function byRunner({ results, runners }) {
  const names = new Set([...runners.map(({ name }) => name), ...results.map(({ runner }) => runner)]);
  return [...names].map((name) => {
    const runner = runners.find((candidate) => candidate.name === name);
    const models = results.filter((model) => model.runner === name);
    return { runner: name, models, trouble: runner && !runner.reachable ? whyDown(runner) : '' };
  });
}

/** @param {RunnerInfo} runner */
function whyDown(runner) {
  return runner.error || `The model runner at ${hostOf(runner.url) || runner.name} does not answer. Start it, then retry.`;
}

/** @param {number} bytes */
function fileSize(bytes) {
  const [size, unit] = bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/**
 * What is worth knowing before a model is chosen.
 * @param {ModelInfo} model
 * @param {boolean} belowRunner the runner is named above it, with what is wrong with it
 */
export function describeModel(model, belowRunner) {
  const parts = belowRunner ? [] : [model.runner];
  if (model.context_tokens) parts.push(`${model.context_tokens.toLocaleString('en')} tokens of context`);
  if (model.size_bytes) parts.push(fileSize(model.size_bytes));
  if (model.demonstration) parts.push('demonstration model');
  if (model.loaded) parts.push('loaded');
  if (model.error) parts.push(model.error);
  else if (!model.reachable) parts.push('does not answer now');
  return parts.filter(Boolean).join(' · ');
}

/**
 * Which models answer to some words: of their name, their id or their runner.
 * @param {ModelList} list
 * @param {string} text
 * @returns {ModelList}
 */
export function searchModels(list, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const results = list.results.filter((model) => {
    const all = `${model.name} ${model.id} ${model.runner}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
  return { ...list, results };
}

/** Whether it has to be said which runner is meant. @param {ModelList|undefined} list */
export const severalRunners = (list) => (list?.runners.length ?? 0) > 1;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/;

/**
 * @param {string} url
 * @returns {string} the host, or '' where there is none
 */
function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    // A runner without an address, such as one inside the application.
    return '';
  }
}

/**
 * One line: which model, where it runs, and who gets to see the text.
 * @param {ModelInfo} model
 * @param {RunnerInfo[]} runners
 */
export function whereAnswersComeFrom(model, runners) {
  const runner = runners.find((candidate) => candidate.name === model.runner);
  const host = hostOf(runner?.url ?? '');
  const here =
    !runner || /^built-?_?in$/.test(runner.kind) || host === '' || LOOPBACK.test(host.replace(/:\d+$/, ''));
  const parts = [model.name];
  if (here) parts.push('runs on this machine', 'nothing leaves it');
  else parts.push(`answers come from ${host}`);
  return parts.join(' · ');
}

/**
 * @param {ModelList} list
 * @param {ModelInfo} [wanted] the model that would answer
 * @returns {string|null} why no answer can be had now; null when all is well
 */
export function whyNoAnswer(list, wanted = undefined) {
  const down = list.runners.find((runner) => !runner.reachable && (!wanted || runner.name === wanted.runner));
  if (list.results.some((model) => model.reachable)) {
    if (!wanted || wanted.reachable || !down) return null;
    return `${whyDown(down)} Or choose a model of another runner below.`;
  }
  const any = down ?? list.runners.find((runner) => !runner.reachable);
  if (any) return whyDown(any);
  return 'No model is available. Add one to the model runner, then retry.';
}
