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
    refetchInterval: (query) => (query.state.data && query.state.data.results.some((m) => m.reachable) ? false : 15_000),
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

/**
 * @param {ModelList|undefined} list
 * @param {string|null} id
 */
export function modelName(list, id) {
  if (!id) return 'Model';
  return list?.results.find((model) => model.id === id)?.name ?? id;
}

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
 * @returns {string|null} why no answer can be had now; null when all is well
 */
export function whyNoAnswer(list) {
  if (list.results.some((model) => model.reachable)) return null;
  const down = list.runners.find((runner) => !runner.reachable);
  if (down) return down.error || `The model runner at ${hostOf(down.url) || down.name} does not answer. Start it, then retry.`;
  return 'No model is available. Add one to the model runner, then retry.';
}
