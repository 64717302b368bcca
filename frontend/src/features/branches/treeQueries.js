/** What screens read about the tree of a conversation and about its branches as a whole. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { fetchBranch, fetchTree } from '../../api/tree.js';
import { keys } from '../../app/cache.js';
import { shapeOf } from './tree/shape.js';

/**
 * @param {string} conversationId
 * @param {{enabled?: boolean}} [options]
 */
export function useTree(conversationId, { enabled = true } = {}) {
  return useQuery({
    queryKey: keys.tree(conversationId),
    enabled,
    queryFn: ({ signal }) => fetchTree(conversationId, signal),
  });
}

/** @type {import('../../api/tree.js').TreeNode[]} */
const NO_NODES = [];

/** @param {import('../../api/tree.js').Tree|undefined} tree */
export function useShape(tree) {
  const nodes = tree?.results ?? NO_NODES;
  return useMemo(() => shapeOf(nodes), [nodes]);
}

/**
 * A branch from its first message to this one. The tree's key is the first part of this one, so what changes the
 * tree has the branch fetched again as well.
 * @param {string} conversationId
 * @param {string|null} leafId
 */
export function useBranch(conversationId, leafId) {
  return useQuery({
    queryKey: [...keys.tree(conversationId), 'branch', leafId],
    enabled: leafId !== null,
    queryFn: ({ signal }) => fetchBranch(conversationId, /** @type {string} */ (leafId), signal),
  });
}
