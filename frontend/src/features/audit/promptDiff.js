/**
 * Pure: what one request says that the one before it did not, message by message and setting by setting.
 * Messages are compared whole: one that differs by a letter is one that was left out and one that is new.
 */
import { diffArrays } from 'diff';

/** @typedef {import('../../api/modelCalls.js').PromptMessage} PromptMessage */
/** @typedef {import('../../api/modelCalls.js').PromptRecord} PromptRecord */

/**
 * @typedef {'same'|'new'|'gone'} ChangeKind
 * @typedef {{kind: ChangeKind, messages: PromptMessage[]}} Run messages that follow each other with the same fate
 * @typedef {{name: string, before: string|null, now: string|null}} SettingChange null: not sent
 */

/** @param {PromptMessage} message */
const asText = ({ role, content, ...others }) => JSON.stringify([role, content, others]);

/**
 *   before:  s  1  2  3           →   same s · gone 1 · same 2 3 · new 4 5
 *   now:     s     2  3  4  5
 *
 * @param {PromptMessage[]} before
 * @param {PromptMessage[]} now
 * @returns {Run[]} in the order of the messages
 */
export function compareMessages(before, now) {
  /** @type {Run[]} */
  const runs = [];
  let inBefore = 0;
  let inNow = 0;
  for (const part of diffArrays(before.map(asText), now.map(asText))) {
    const length = part.value.length;
    if (part.removed) {
      runs.push({ kind: 'gone', messages: before.slice(inBefore, inBefore + length) });
      inBefore += length;
      continue;
    }
    runs.push({ kind: part.added ? 'new' : 'same', messages: now.slice(inNow, inNow + length) });
    inNow += length;
    if (!part.added) inBefore += length;
  }
  return runs;
}

/**
 * @param {Run[]} runs
 * @param {ChangeKind} kind
 */
export function countOf(runs, kind) {
  return runs.filter((run) => run.kind === kind).reduce((sum, run) => sum + run.messages.length, 0);
}

/**
 * Everything in the request beside its messages: model, parameters, and how the answer is to come.
 * @param {string} body
 * @returns {Map<string, string>} each as JSON
 */
export function settingsOf(body) {
  /** @type {unknown} */
  let parsed = null;
  try {
    parsed = JSON.parse(body);
  } catch {
    // What another program sent through here may be anything: then there is nothing to compare but its bytes.
  }
  if (typeof parsed !== 'object' || parsed === null) return new Map();
  const entries = Object.entries(parsed).filter(([name]) => name !== 'messages');
  return new Map(entries.map(([name, value]) => [name, JSON.stringify(value)]));
}

/**
 * @param {string} before
 * @param {string} now
 * @returns {SettingChange[]}
 */
export function compareSettings(before, now) {
  const [old, current] = [settingsOf(before), settingsOf(now)];
  return [...new Set([...old.keys(), ...current.keys()])]
    .filter((name) => old.get(name) !== current.get(name))
    .sort()
    .map((name) => ({ name, before: old.get(name) ?? null, now: current.get(name) ?? null }));
}
