/** Pure: what a line of the tree says beside its excerpt. The same words are read out and seen. */

/** @typedef {import('../../../api/tree.js').TreeNode} TreeNode */
/** @typedef {import('./shape.js').Line} Line */

/** @type {Record<string, string>} */
const OUTCOMES = {
  pending: 'being written',
  truncated: 'cut off',
  interrupted: 'interrupted',
  cancelled: 'stopped',
  failed: 'failed',
};

/** @param {TreeNode} node @param {(model: string|null) => string} nameOf */
export function writerOf(node, nameOf) {
  if (node.role === 'user') return 'You';
  if (node.role !== 'assistant') return node.role === 'tool' ? 'Tool' : 'System';
  return node.call_id === null ? 'Another program' : nameOf(node.model);
}

/**
 * @param {TreeNode} node
 * @returns {string} empty for a user's message and for a complete reply
 */
export function outcomeWord(node) {
  return OUTCOMES[node.outcome ?? 'complete'] ?? '';
}

/**
 * @param {Line} line
 * @param {{selectedLeafId: string|null, originId: string|null}} where
 * @returns {string[]}
 */
export function marksOf({ node, alternative, alternatives }, { selectedLeafId, originId }) {
  const marks = [];
  if (node.id === selectedLeafId) marks.push('selected branch ends here');
  const outcome = outcomeWord(node);
  if (outcome) marks.push(outcome);
  if (node.continues) marks.push('continues');
  if (alternatives > 0) marks.push(`version ${alternative} of ${alternatives}`);
  if (node.replay) marks.push(`replay, turn ${node.replay.turn}`);
  if (node.inherited) marks.push(node.id === originId ? 'inherited, forked here' : 'inherited');
  if (node.hidden) marks.push('hidden');
  return marks;
}

/** @param {TreeNode} node */
export function excerptOf(node) {
  if (node.excerpt) return node.excerpt;
  if (node.outcome === 'pending') return 'Being written…';
  return 'No text';
}

/** @param {string} at */
export function shortTime(at) {
  return new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}
