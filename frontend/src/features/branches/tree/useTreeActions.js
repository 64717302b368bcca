/** What can be done with a line of the tree. Looking costs nothing; each of these makes at most one small event. */
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { forkConversation, hideBranch, selectBranch, showBranch } from '../../../api/branches.js';
import { asProblem } from '../../../api/problems.js';
import { keys } from '../../../app/cache.js';
import { queryClient } from '../../../app/queryClient.js';
import { selectingHere } from '../../../app/selections.js';
import { announce } from '../../../ui/announcer.jsx';
import { copyText } from '../../../ui/clipboard.js';
import { showToast } from '../../../ui/toasts.jsx';
import { allLeaves, leavesBelow } from './shape.js';

/** @typedef {import('../../../api/tree.js').TreeNode} TreeNode */
/** @typedef {import('./shape.js').Shape} Shape */

/**
 * Where a message is shown: within the branch that is looked at if it is part of it. Only an address that names the
 * branch itself leads to a hidden one.
 * @param {string} conversationId
 * @param {TreeNode} node
 * @param {Shape} shape
 */
export function pathOf(conversationId, node, shape) {
  if (!node.hidden) return `/c/${conversationId}?message=${node.id}`;
  return `/c/${conversationId}?leaf=${leavesBelow(shape, node.id).at(-1)?.id ?? node.id}`;
}

/**
 * @param {string} conversationId
 * @param {Shape} shape
 * @param {ReadonlySet<string>} onSelected the messages of the selected branch
 */
export function useTreeActions(conversationId, shape, onSelected) {
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);

  /**
   * @param {() => Promise<void>} action
   * @returns {Promise<boolean>} whether it worked; where it did not, that has been said
   */
  const run = async (action) => {
    setBusy(true);
    try {
      await action();
      return true;
    } catch (error) {
      showToast({ text: asProblem(error).message });
      return false;
    } finally {
      setBusy(false);
    }
  };

  /** @param {TreeNode} node */
  const open = (node) =>
    run(async () => {
      if (!node.hidden && !onSelected.has(node.id)) {
        await selectingHere(conversationId, selectBranch(conversationId, node.id));
        await queryClient.invalidateQueries({ queryKey: keys.transcript(conversationId) });
        void queryClient.invalidateQueries({ queryKey: keys.tree(conversationId) });
      }
      await navigate(pathOf(conversationId, node, shape));
    });

  /** @param {TreeNode} node */
  const fork = (node) =>
    run(async () => {
      const answer = await forkConversation(conversationId, node.id);
      announce('Forked to a new conversation');
      await navigate(`/c/${answer.id}`);
    });

  /**
   * A message is out of sight when every branch through it is: so each of them is hidden, or shown.
   * @param {TreeNode} node
   */
  const hideOrShow = (node) =>
    run(async () => {
      const command = node.hidden ? showBranch : hideBranch;
      const leaves = leavesBelow(shape, node.id).filter((leaf) => leaf.hidden === node.hidden);
      try {
        for (const leaf of leaves) await selectingHere(conversationId, command(conversationId, leaf.id));
      } finally {
        await queryClient.invalidateQueries({ queryKey: keys.tree(conversationId) });
        void queryClient.invalidateQueries({ queryKey: keys.transcript(conversationId) });
      }
      const what = leaves.length === 1 ? 'Branch' : `${leaves.length} branches`;
      announce(`${what} ${node.hidden ? 'shown' : 'hidden'}`);
    });

  /** @param {TreeNode} node */
  const copyLink = (node) => copyText(`${window.location.origin}${pathOf(conversationId, node, shape)}`);

  /** @param {TreeNode} node */
  const wouldHideAll = (node) => {
    const below = new Set(leavesBelow(shape, node.id).map((leaf) => leaf.id));
    return allLeaves(shape).every((leaf) => leaf.hidden || below.has(leaf.id));
  };

  return { busy, open, fork, hideOrShow, copyLink, wouldHideAll };
}
