/** Which two branches are compared; and, of replays, each with the branch that it repeats. */
import { useId } from 'react';
import { Link } from 'react-router';

import { Button } from '../../ui/Button.jsx';
import { excerptOf, shortTime } from '../branches/tree/words.js';
import { comparePath } from '../replay/queries.js';
import styles from './ComparePage.module.css';

/** @typedef {import('../../api/replays.js').Replay} Replay */
/** @typedef {import('../../api/tree.js').TreeNode} TreeNode */

const EXCERPT = 60;

/**
 * @param {TreeNode} leaf
 * @param {string|null} selectedLeafId
 * @param {Replay[]} replays
 */
function labelOf(leaf, selectedLeafId, replays) {
  const excerpt = excerptOf(leaf);
  const short = excerpt.length > EXCERPT ? `${excerpt.slice(0, EXCERPT - 1)}…` : excerpt;
  const marks = [];
  if (leaf.id === selectedLeafId) marks.push('selected');
  if (leaf.hidden) marks.push('hidden');
  if (replays.some((replay) => replay.leaf_id === leaf.id)) marks.push('replay');
  return `${short} · ${shortTime(leaf.at)}${marks.length > 0 ? ` (${marks.join(', ')})` : ''}`;
}

/**
 * @param {{
 *   leaves: TreeNode[],
 *   selectedLeafId: string|null,
 *   replays: Replay[],
 *   left: string|null,
 *   right: string|null,
 *   onChoose: (left: string|null, right: string|null) => void,
 * }} props
 */
export function BranchPicker({ leaves, selectedLeafId, replays, left, right, onChoose }) {
  const id = useId();
  /** @param {'Left'|'Right'} side @param {string|null} chosen @param {(leafId: string) => void} onPick */
  const picker = (side, chosen, onPick) => (
    <div className={styles.field}>
      <label htmlFor={`${id}-${side}`}>{side} branch, by its last message</label>
      <select id={`${id}-${side}`} value={chosen ?? ''} onChange={(event) => onPick(event.target.value)}>
        {chosen === null && <option value="">Choose a branch</option>}
        {leaves.map((leaf) => (
          <option key={leaf.id} value={leaf.id}>
            {labelOf(leaf, selectedLeafId, replays)}
          </option>
        ))}
      </select>
    </div>
  );
  return (
    <div className={styles.pickers}>
      {picker('Left', left, (leafId) => onChoose(leafId, right))}
      {picker('Right', right, (leafId) => onChoose(left, leafId))}
      <Button onClick={() => onChoose(right, left)} disabled={left === null || right === null}>
        Swap sides
      </Button>
    </div>
  );
}

/**
 * @param {{
 *   conversationId: string,
 *   replays: Replay[],
 *   nameOf: (model: string|null) => string,
 * }} props
 */
export function ReplayList({ conversationId, replays, nameOf }) {
  const comparable = replays.filter((replay) => replay.leaf_id !== null);
  if (comparable.length === 0) return null;
  return (
    <details className={styles.fold}>
      <summary>
        {comparable.length} {comparable.length === 1 ? 'replay' : 'replays'} of this conversation
      </summary>
      <ul>
        {comparable.map((replay) => (
          <li key={replay.id}>
            <Link to={comparePath(conversationId, replay)}>
              {nameOf(replay.model)}, {shortTime(replay.requested_at)}: compare with the original
            </Link>
            <span>
              {' '}
              {replay.state}, {replay.turns_done} of {replay.turns_total} turns
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
