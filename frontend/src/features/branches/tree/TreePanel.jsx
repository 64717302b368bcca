/** The panel with the tree of a conversation: every branch there is, and what can be done with a message of it. */
import { useCallback, useId, useMemo, useRef, useState } from 'react';
import { Link } from 'react-router';

import { asProblem } from '../../../api/problems.js';
import { Button } from '../../../ui/Button.jsx';
import { Notice } from '../../../ui/Field.jsx';
import { SidePanel } from '../../../ui/SidePanel.jsx';
import { useMedia } from '../../../ui/useMedia.js';
import { modelName, useModels } from '../../composer/models.js';
import { useConversation } from '../../conversations/queries.js';
import { useShape, useTree } from '../treeQueries.js';
import { allLeaves, leavesBelow, linesOf, pathTo, shapeOf, visibleNodes } from './shape.js';
import styles from './TreePanel.module.css';
import { TreeView } from './TreeView.jsx';
import { useTreeActions } from './useTreeActions.js';
import { excerptOf, shortTime, writerOf } from './words.js';

/** @typedef {import('../../../api/tree.js').Tree} Tree */
/** @typedef {import('../../../api/tree.js').TreeNode} TreeNode */
/** @typedef {import('./shape.js').Shape} Shape */

/** @param {{conversationId: string, withHidden?: boolean, onClose: () => void}} props withHidden: show them from the start */
export default function TreePanel({ conversationId, withHidden = false, onClose }) {
  const tree = useTree(conversationId);
  return (
    <SidePanel title="Tree" onClose={onClose}>
      {tree.isPending && <p className={styles.quiet}>Reading the branches…</p>}
      {tree.isError && (
        <div className={styles.quiet}>
          <Notice>
            <p>{asProblem(tree.error).message}</p>
            <Button onClick={() => void tree.refetch()}>Retry</Button>
          </Notice>
        </div>
      )}
      {tree.data && tree.data.results.length === 0 && (
        <p className={styles.quiet}>No messages yet. The first one begins the tree.</p>
      )}
      {tree.data && tree.data.results.length > 0 && (
        <Branches conversationId={conversationId} tree={tree.data} withHidden={withHidden} onClose={onClose} />
      )}
    </SidePanel>
  );
}

/** @param {{conversationId: string, tree: Tree, withHidden: boolean, onClose: () => void}} props */
function Branches({ conversationId, tree, withHidden, onClose }) {
  const models = useModels();
  const nameOf = useCallback(/** @param {string|null} model */ (model) => modelName(models.data, model), [models.data]);
  const shape = useShape(tree);
  const selectedLeafId = tree.selected_leaf_id;
  const [hiddenToo, setHiddenToo] = useState(() => withHidden || (shape.byId.get(selectedLeafId ?? '')?.hidden ?? false));
  const [closed, setClosed] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const [wanted, setWanted] = useState(/** @type {string|null} */ (null));
  /** @type {import('react').RefObject<HTMLDivElement|null>} */
  const toolbar = useRef(null);

  const lines = useMemo(
    () => linesOf(hiddenToo ? shape : shapeOf(visibleNodes(tree.results, false)), closed),
    [tree.results, shape, hiddenToo, closed],
  );
  const onSelected = useMemo(() => new Set(pathTo(shape, selectedLeafId).map((node) => node.id)), [shape, selectedLeafId]);
  const leaves = useMemo(() => allLeaves(shape), [shape]);
  const hiddenCount = leaves.filter((leaf) => leaf.hidden).length;
  const actions = useTreeActions(conversationId, shape, onSelected);

  const shown = new Set(lines.map((line) => line.node.id));
  const currentId = [wanted, selectedLeafId, lines[0]?.node.id ?? null].find((id) => id !== null && shown.has(id)) ?? null;
  const current = currentId === null ? undefined : shape.byId.get(currentId);

  const onFold = useCallback(
    /** @param {string[]} ids @param {boolean} open */ (ids, open) =>
      setClosed((now) => {
        const next = new Set(now);
        for (const id of ids) open ? next.delete(id) : next.add(id);
        return next;
      }),
    [],
  );
  const beside = useMedia('(min-width: 64rem)');
  /** @param {string} id */
  const onOpen = async (id) => {
    const node = shape.byId.get(id);
    // On a small screen the panel lies over what has just been opened.
    if (node && (await actions.open(node)) && !beside) onClose();
  };

  const visibleCount = leaves.length - hiddenCount;
  return (
    <>
      <div className={styles.about}>
        <Origin conversationId={conversationId} />
        <p>
          {tree.results.length.toLocaleString('en')} {tree.results.length === 1 ? 'message' : 'messages'},{' '}
          {visibleCount.toLocaleString('en')} {visibleCount === 1 ? 'branch' : 'branches'}
          {hiddenCount > 0 && `, ${hiddenCount.toLocaleString('en')} hidden`}
        </p>
        {hiddenCount > 0 && (
          <label className={styles.switch}>
            <input
              type="checkbox"
              role="switch"
              checked={hiddenToo}
              onChange={(event) => setHiddenToo(event.target.checked)}
            />
            Show hidden
          </label>
        )}
      </div>
      <TreeView
        lines={lines}
        label="Messages of this conversation"
        currentId={currentId}
        onSelected={onSelected}
        selectedLeafId={selectedLeafId}
        originId={originOf(tree.results)}
        nameOf={nameOf}
        onCurrent={setWanted}
        onFold={onFold}
        onOpen={(id) => void onOpen(id)}
        onActions={() => toolbar.current?.querySelector('button')?.focus()}
      />
      {current && (
        <Actions
          conversationId={conversationId}
          node={current}
          shape={shape}
          onSelected={onSelected}
          selectedLeafId={selectedLeafId}
          writer={writerOf(current, nameOf)}
          actions={actions}
          toolbar={toolbar}
          onOpen={() => void onOpen(current.id)}
          onLeave={onClose}
        />
      )}
    </>
  );
}

/**
 * The message a fork continues from: the last one of the inherited path.
 * @param {TreeNode[]} nodes parents before children
 */
function originOf(nodes) {
  return nodes.findLast((node) => node.inherited)?.id ?? null;
}

/** @typedef {{conversation_id: string, title?: string, deleted?: boolean, message_number?: number}} Origin */

/** @param {{conversationId: string}} props */
function Origin({ conversationId }) {
  const conversation = useConversation(conversationId);
  const origin = /** @type {Origin|null} */ (conversation.data?.forked_from ?? null);
  if (!origin) return null;
  const title = origin.title || 'another conversation';
  return (
    <p>
      Forked from {origin.deleted ? `${title} (deleted)` : <Link to={`/c/${origin.conversation_id}`}>{title}</Link>}
      {origin.message_number ? ` at message ${origin.message_number}` : ''}. Its messages up to there are marked inherited.
    </p>
  );
}

/**
 * @param {{
 *   conversationId: string,
 *   node: TreeNode,
 *   shape: Shape,
 *   onSelected: ReadonlySet<string>,
 *   selectedLeafId: string|null,
 *   writer: string,
 *   actions: ReturnType<typeof useTreeActions>,
 *   toolbar: import('react').RefObject<HTMLDivElement|null>,
 *   onOpen: () => void,
 *   onLeave: () => void,
 * }} props
 */
function Actions({ conversationId, node, shape, onSelected, selectedLeafId, writer, actions, toolbar, onOpen, onLeave }) {
  const leaf = leavesBelow(shape, node.id).at(-1)?.id ?? node.id;
  const count = leavesBelow(shape, node.id).filter((end) => end.hidden === node.hidden).length;
  const branches = count === 1 ? 'branch' : `${count} branches`;
  const pending = node.outcome === 'pending';
  const last = !node.hidden && actions.wouldHideAll(node);
  return (
    <div className={styles.actions}>
      <p className={styles.which}>
        <strong>{writer}</strong> · <time dateTime={node.at}>{shortTime(node.at)}</time>
        <span className={styles.excerpt}>{excerptOf(node)}</span>
      </p>
      <div ref={toolbar} className={styles.buttons} role="group" aria-label="What to do with this message">
        <Action kind="primary" onRun={onOpen} busy={actions.busy}>
          Open
        </Action>
        <Action
          onRun={() => void actions.fork(node)}
          busy={actions.busy}
          why={pending ? 'A reply that is still being written cannot be forked at.' : ''}
        >
          Fork from here
        </Action>
        {selectedLeafId !== null && !onSelected.has(node.id) && (
          <Link className={styles.link} to={`/c/${conversationId}/compare?left=${selectedLeafId}&right=${leaf}`} onClick={onLeave}>
            Compare with the selected branch
          </Link>
        )}
        <Action onRun={() => void actions.copyLink(node)} busy={false}>
          Copy link
        </Action>
        <Action
          onRun={() => void actions.hideOrShow(node)}
          busy={actions.busy}
          why={last ? 'The last branch in sight cannot be hidden.' : ''}
        >
          {node.hidden ? 'Show' : 'Hide'} {branches}
        </Action>
      </div>
    </div>
  );
}

/**
 * Stays where the focus is also while it cannot be used: a disabled button would lose it.
 * @param {{
 *   kind?: 'primary'|'plain',
 *   busy: boolean,
 *   why?: string,
 *   onRun: () => void,
 *   children: import('react').ReactNode,
 * }} props why: the reason why it cannot be used; empty where it can
 */
function Action({ kind = 'plain', busy, why = '', onRun, children }) {
  const id = useId();
  return (
    <>
      <Button
        kind={kind}
        aria-disabled={busy || why !== '' || undefined}
        aria-describedby={why ? id : undefined}
        title={why || undefined}
        onClick={() => {
          if (!busy && !why) onRun();
        }}
      >
        {children}
      </Button>
      {why && (
        <span id={id} className="visually-hidden">
          {why}
        </span>
      )}
    </>
  );
}
