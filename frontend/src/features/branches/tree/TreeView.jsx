/**
 * The tree itself: one line per message, moved through with the keys of the ARIA pattern for trees. Only lines near
 * the view are in the page, and the current one always is, so that the focus is never lost.
 */
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useEffect, useLayoutEffect, useRef } from 'react';

import { Seal } from '../../../ui/Marks.jsx';
import { sealState } from '../../transcript/seal.js';
import { findTyped, stepFor } from './keyboard.js';
import styles from './TreeView.module.css';
import { excerptOf, marksOf, writerOf } from './words.js';

/** @typedef {import('./shape.js').Line} Line */

const LINE_REM = 3.25;
const INDENT_REM = 1;
/** Deeper lines stay where they are: their level is still told, and the words keep their room. */
const DEEPEST_INDENT = 8;
const TYPING_PAUSE_MS = 700;

/** Lines are measured in the reader's own text size. */
const remInPx = () => parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;

/**
 * @typedef {object} TreeViewProps
 * @property {Line[]} lines
 * @property {string} label
 * @property {string|null} currentId the line that has, or gets, the focus
 * @property {ReadonlySet<string>} onSelected the messages of the selected branch
 * @property {string|null} selectedLeafId
 * @property {string|null} originId in a fork: the message it was forked at
 * @property {(model: string|null) => string} nameOf
 * @property {(id: string) => void} onCurrent
 * @property {(ids: string[], open: boolean) => void} onFold
 * @property {(id: string) => void} onOpen
 * @property {() => void} onActions the reader asks for what can be done here
 */

/** @param {TreeViewProps} props */
export function TreeView({
  lines, label, currentId, onSelected, selectedLeafId, originId, nameOf, onCurrent, onFold, onOpen, onActions,
}) {
  /** @type {import('react').RefObject<HTMLDivElement|null>} */
  const scroller = useRef(null);
  const typed = useRef({ text: '', at: 0 });
  const found = lines.findIndex((line) => line.node.id === currentId);
  const current = found < 0 ? 0 : found;
  const size = LINE_REM * remInPx();

  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer is read in this component only
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => size,
    getItemKey: (index) => lines[index]?.node.id ?? index,
    overscan: 10,
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range);
      if (current < range.count && !indexes.includes(current)) indexes.push(current);
      return indexes.sort((a, b) => a - b);
    },
  });

  const visible = virtualizer.getVirtualItems();
  const arrived = useRef(false);
  // The first drawing only finds out how much room there is.
  const ready = visible.length > 0;
  useEffect(() => {
    if (!ready || arrived.current) return;
    arrived.current = true;
    virtualizer.scrollToIndex(current, { align: 'center' });
    focusLine(scroller.current);
  }, [ready, current, virtualizer]);

  const follows = useRef(false);
  useLayoutEffect(() => {
    if (!follows.current) return;
    follows.current = false;
    virtualizer.scrollToIndex(current, { align: 'auto' });
    focusLine(scroller.current);
  }, [current, virtualizer]);

  /** @param {number} index */
  const goTo = (index) => {
    const line = lines[index];
    if (!line || index === current) return;
    follows.current = true;
    onCurrent(line.node.id);
  };

  /** @param {import('react').KeyboardEvent} event */
  const onKeyDown = (event) => {
    const line = lines[current];
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      onOpen(line.node.id);
      return;
    }
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      event.preventDefault();
      onActions();
      return;
    }
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / size) - 1);
    const step = stepFor(lines, current, event.key, page);
    if (step !== null) {
      event.preventDefault();
      if ('go' in step) goTo(step.go);
      else if ('toggle' in step) onFold([step.toggle], !line.open);
      else onFold(step.openAll, true);
      return;
    }
    if (event.key.length !== 1) return;
    const pause = event.timeStamp - typed.current.at > TYPING_PAUSE_MS;
    typed.current = { text: (pause ? '' : typed.current.text) + event.key, at: event.timeStamp };
    const hit = findTyped(lines, current, typed.current.text);
    if (hit >= 0) goTo(hit);
  };

  const onPointer = useCallback(
    /** @param {string} id */ (id) => {
      follows.current = true;
      onCurrent(id);
    },
    [onCurrent],
  );

  return (
    <div ref={scroller} className={styles.scroller}>
      {/* eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the focus is on its lines, one of which always is in the tab order */}
      <div
        role="tree"
        aria-label={label}
        className={styles.tree}
        style={{ height: virtualizer.getTotalSize() }}
        onKeyDown={onKeyDown}
      >
        {visible.map((slot) => {
          const line = /** @type {Line} */ (lines[slot.index]);
          return (
            <TreeLine
              key={line.node.id}
              line={line}
              start={slot.start}
              size={size}
              current={slot.index === current}
              onBranch={onSelected.has(line.node.id)}
              isLeaf={line.node.id === selectedLeafId}
              marks={marksOf(line, { selectedLeafId, originId }).join(' · ')}
              writer={writerOf(line.node, nameOf)}
              onPointer={onPointer}
              onFold={onFold}
              onOpen={onOpen}
            />
          );
        })}
      </div>
    </div>
  );
}

/** @param {HTMLElement|null} scroller */
function focusLine(scroller) {
  /** @type {HTMLElement|null|undefined} */ (scroller?.querySelector('[role="treeitem"][tabindex="0"]'))?.focus({
    preventScroll: true,
  });
}

const TreeLine = memo(
  /**
   * @param {{
   *   line: Line,
   *   start: number,
   *   size: number,
   *   current: boolean,
   *   onBranch: boolean,
   *   isLeaf: boolean,
   *   marks: string,
   *   writer: string,
   *   onPointer: (id: string) => void,
   *   onFold: (ids: string[], open: boolean) => void,
   *   onOpen: (id: string) => void,
   * }} props
   */
  function TreeLine({ line, start, size, current, onBranch, isLeaf, marks, writer, onPointer, onFold, onOpen }) {
    const { node, level, opens, open } = line;
    const indent = Math.min(level - 1, DEEPEST_INDENT) * INDENT_REM;
    const classes = [
      styles.line,
      current && styles.current,
      onBranch && styles.onBranch,
      node.hidden && styles.hidden,
      node.inherited && styles.inherited,
    ];
    return (
      // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- the tree around it handles the keys
      <div
        role="treeitem"
        aria-level={level}
        aria-posinset={line.place}
        aria-setsize={line.places}
        aria-expanded={opens ? open : undefined}
        aria-selected={isLeaf}
        tabIndex={current ? 0 : -1}
        className={classes.filter(Boolean).join(' ')}
        style={{ height: size, transform: `translateY(${start}px)`, paddingInlineStart: `${indent}rem` }}
        onClick={() => onPointer(node.id)}
        onDoubleClick={() => onOpen(node.id)}
      >
        <span className={styles.rail} aria-hidden="true">
          {opens ? (
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions -- a pointer's way to fold; by keyboard the arrows do it
            <span
              className={styles.fold}
              onClick={(event) => {
                event.stopPropagation();
                onFold([node.id], !open);
              }}
            >
              {open ? '−' : '+'}
            </span>
          ) : (
            <span className={styles.dot} />
          )}
        </span>
        <span className={styles.words}>
          <span className={styles.first}>
            <span className={styles.writer}>{writer}</span>
            {node.role === 'assistant' && node.outcome !== 'complete' && (
              <Seal state={sealState(node.outcome)} size={13} />
            )}
            {marks && (
              <span className={styles.marks}>
                <span className="visually-hidden">, </span>
                {marks}
              </span>
            )}
          </span>
          <span className="visually-hidden">: </span>
          <span className={styles.excerpt}>{excerptOf(node)}</span>
          {onBranch && <span className="visually-hidden">, on the selected branch</span>}
        </span>
      </div>
    );
  },
);
