/** Pure: asking a model again what it was asked in a recorded call. */
import { withoutRunner } from '../composer/models.js';

/** @typedef {import('../../api/branches.js').RegenerateWish} RegenerateWish */
/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/types.js').ModelList} ModelList */

/**
 * A reply in a conversation can be asked for again; a title, or a call that stands for itself, cannot.
 * @param {ModelCall} call
 * @returns {call is ModelCall & {conversation_id: string, reply_id: string}}
 */
export function canBeReplayed(call) {
  return call.conversation_id !== null && call.reply_id !== null && call.outcome !== 'pending' && !call.erased;
}

/**
 * The model and the parameters of then. Where the same name is offered by several runners, the runner of then is meant.
 * @param {ModelCall} call
 * @param {ModelList|undefined} models
 * @returns {RegenerateWish}
 */
export function wishOf(call, models) {
  const name = withoutRunner(call.model);
  const there = models?.results.find((model) => model.runner === call.runner && withoutRunner(model.id) === name);
  return { model: there?.id ?? call.model, params: call.params };
}
