/** Two branches of a conversation side by side, turn by turn. Everything here is read; nothing is changed. */
import { useCallback, useMemo, useState } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { NotFoundPage } from '../../app/NotFoundPage.jsx';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { allLeaves } from '../branches/tree/shape.js';
import { useBranch, useShape, useTree } from '../branches/treeQueries.js';
import { modelName, useModels } from '../composer/models.js';
import { useConversation } from '../conversations/queries.js';
import { useReplays } from '../replay/queries.js';
import { seconds } from '../transcript/seal.js';
import { align } from './align.js';
import { BranchPicker, ReplayList } from './BranchPicker.jsx';
import styles from './ComparePage.module.css';
import { difference, tokenCount } from './figures.js';
import { TurnPair } from './TurnPair.jsx';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../api/tree.js').TreeNode} TreeNode */
/** @typedef {import('./align.js').Totals} Totals */

const TURNS_AT_ONCE = 40;

export default function ComparePage() {
  const { id = '' } = useParams();
  const [search, setSearch] = useSearchParams();
  const conversation = useConversation(id);
  const tree = useTree(id);
  const replays = useReplays(id);
  const models = useModels();
  const nameOf = useCallback(/** @param {string|null} model */ (model) => modelName(models.data, model), [models.data]);
  const shape = useShape(tree.data);

  const selected = tree.data?.selected_leaf_id ?? null;
  const ends = useMemo(() => allLeaves(shape), [shape]);
  const left = search.get('left') ?? selected;
  const right = search.get('right') ?? ends.findLast((leaf) => !leaf.hidden && leaf.id !== left)?.id ?? null;
  const leaves = useMemo(() => withChosen(ends, shape.byId, [left, right]), [ends, shape, left, right]);

  const gone = [tree.error, conversation.error].some((error) => error && asProblem(error).status === 404);
  if (gone) return <NotFoundPage what="conversation" />;

  /** @param {string|null} newLeft @param {string|null} newRight */
  const choose = (newLeft, newRight) => {
    const next = new URLSearchParams();
    if (newLeft) next.set('left', newLeft);
    if (newRight) next.set('right', newRight);
    setSearch(next, { replace: true });
  };

  const title = conversation.data?.title ?? '';
  return (
    <ScrollingPage title={title} documentTitle={`Compare branches${title ? ` · ${title}` : ''}`} className={styles.column}>
      <Link className={styles.back} to={`/c/${id}`}>
        Back to the conversation
      </Link>
      <h1>Compare branches</h1>
      {tree.isError && (
        <Notice>
          <p>{asProblem(tree.error).message}</p>
          <Button onClick={() => void tree.refetch()}>Retry</Button>
        </Notice>
      )}
      {tree.isPending && <p className={styles.quiet}>Reading the branches…</p>}
      {tree.data && ends.length < 2 && (
        <p className={styles.quiet}>
          This conversation has one branch. Edit a message, ask for another reply or run the branch again, and there
          are two to compare.
        </p>
      )}
      {tree.data && ends.length >= 2 && (
        <>
          <BranchPicker
            leaves={leaves}
            selectedLeafId={selected}
            replays={replays.data ?? []}
            left={left}
            right={right}
            onChoose={choose}
          />
          <ReplayList conversationId={id} replays={replays.data ?? []} nameOf={nameOf} />
          <Comparison key={`${left} ${right}`} conversationId={id} left={left} right={right} nameOf={nameOf} />
        </>
      )}
    </ScrollingPage>
  );
}

/**
 * An address may name any message, also one that is no end of a branch any more.
 * @param {TreeNode[]} leaves
 * @param {Map<string, TreeNode>} byId
 * @param {(string|null)[]} chosen
 */
function withChosen(leaves, byId, chosen) {
  const more = chosen
    .map((id) => (id === null ? undefined : byId.get(id)))
    .filter((node) => node !== undefined && !leaves.includes(node));
  return [...leaves, .../** @type {TreeNode[]} */ ([...new Set(more)])];
}

/**
 * @param {{
 *   conversationId: string,
 *   left: string|null,
 *   right: string|null,
 *   nameOf: (model: string|null) => string,
 * }} props
 */
function Comparison({ conversationId, left, right, nameOf }) {
  const leftRows = useBranch(conversationId, left);
  const rightRows = useBranch(conversationId, right);
  const [shown, setShown] = useState(TURNS_AT_ONCE);
  const alignment = useMemo(
    () => (leftRows.data && rightRows.data ? align(leftRows.data, rightRows.data) : null),
    [leftRows.data, rightRows.data],
  );
  if (left === null || right === null) return null;
  const failed = [leftRows, rightRows].filter((query) => query.isError);
  if (failed.length > 0) {
    return (
      <Notice>
        <p>{asProblem(failed[0]?.error).message}</p>
        <Button onClick={() => failed.forEach((query) => void query.refetch())}>Retry</Button>
      </Notice>
    );
  }
  if (!alignment) return <p className={styles.quiet}>Reading both branches…</p>;
  const { common, pairs } = alignment;
  return (
    <>
      <Differences left={alignment.left} right={alignment.right} />
      <Common rows={common} nameOf={nameOf} />
      {pairs.length === 0 && <p className={styles.quiet}>Both sides are the same branch.</p>}
      {pairs.slice(0, shown).map((pair) => (
        <TurnPair key={pair.number} pair={pair} nameOf={nameOf} />
      ))}
      {pairs.length > shown && (
        <div className={styles.more}>
          <Button onClick={() => setShown(shown + TURNS_AT_ONCE)}>
            Show {Math.min(TURNS_AT_ONCE, pairs.length - shown)} more turns of {pairs.length - shown}
          </Button>
        </div>
      )}
    </>
  );
}

/** @param {{left: Totals, right: Totals}} props */
function Differences({ left, right }) {
  /** @param {number|null} amount @param {(amount: number) => string} say */
  const said = (amount, say) => (amount === null ? 'not known' : say(amount));
  /** @param {number} count */
  const plain = (count) => count.toLocaleString('en');
  const rows = [
    { name: 'Replies', left: left.replies, right: right.replies, say: plain },
    { name: 'Tokens written', left: left.tokens, right: right.tokens, say: tokenCount },
    { name: 'Time', left: left.duration_ms, right: right.duration_ms, say: seconds },
  ];
  return (
    <table className={styles.totals}>
      <caption>Totals of what is not in common</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">Left</th>
          <th scope="col">Right</th>
          <th scope="col">Right against left</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            <td>{said(row.left, row.say)}</td>
            <td>{said(row.right, row.say)}</td>
            <td>{difference(row.left, row.right, row.say) || 'not known'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** @param {{rows: TranscriptRow[], nameOf: (model: string|null) => string}} props */
function Common({ rows, nameOf }) {
  const [open, setOpen] = useState(false);
  if (rows.length === 0) return <p className={styles.quiet}>No messages in common.</p>;
  return (
    <details className={styles.fold} open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {rows.length.toLocaleString('en')} {rows.length === 1 ? 'message' : 'messages'} in common
      </summary>
      {open && (
        <ol className={styles.common}>
          {rows.map((row) => (
            <li key={row.id}>
              <span className={styles.writer}>{row.role === 'user' ? 'You' : nameOf(row.model)}</span>
              <div>{row.content}</div>
            </li>
          ))}
        </ol>
      )}
    </details>
  );
}
