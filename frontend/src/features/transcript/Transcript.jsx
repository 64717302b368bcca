/**
 * The messages of one branch, oldest first; only those near the view are in the page. Stays at the end while a
 * reply grows, until the reader scrolls up; older messages are fetched when the top comes near.
 */
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef } from 'react';

import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { DownIcon } from '../../ui/icons.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { loadOlderMessages } from '../conversations/queries.js';
import { BroughtMessage } from './BroughtMessage.jsx';
import { SendingMessage, UserMessage } from './Message.jsx';
import { Reply } from './Reply.jsx';
import styles from './Transcript.module.css';
import { itemsOf, joinedText } from './items.js';
import { useKeepVersionInPlace } from './useKeepVersionInPlace.js';
import { useStickToBottom } from './useStickToBottom.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../branches/useBranchView.js').Target} Target */
/** @typedef {import('../branches/useMessageActions.js').MessageActions} MessageActions */
/** @typedef {import('../composer/outbox.js').Pending} Pending */
/** @typedef {import('./items.js').Item} Item */

const CHARACTERS_PER_LINE = 78;
const LINE_PX = 26;
const AROUND_MESSAGE_PX = 96;
const FETCH_OLDER_WITHIN_PX = 1200;
const ARRIVAL_FRAMES = 12;

/** @param {Item} item */
function estimateHeight(item) {
  const text = item.pending?.content ?? joinedText(item.rows);
  const lines = Math.ceil(text.length / CHARACTERS_PER_LINE) + (text.match(/\n/g)?.length ?? 0) * 0.6;
  return AROUND_MESSAGE_PX + Math.max(1, lines) * LINE_PX;
}

/**
 * What stands above the view may change its height at any time, also while the reader scrolls up: the view is then
 * moved by as much, so that what is being read stays where it is.
 * @param {import('@tanstack/react-virtual').Virtualizer<HTMLDivElement, Element>} virtualizer
 */
function adjustAboveView(virtualizer) {
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = (item, _delta, instance) => {
    const top = instance.scrollOffset ?? 0;
    return instance.itemSizeCache.has(item.key) ? item.end <= top : item.start < top;
  };
}

/**
 * @param {HTMLElement|null} content
 * @param {number} index
 */
function focusMessage(content, index) {
  const article = content?.querySelector(`[data-index="${index}"] > article`);
  if (article instanceof HTMLElement) article.focus({ preventScroll: true });
}

/**
 * @typedef {object} TranscriptProps
 * @property {string|null} conversationId
 * @property {string|null} leafId the end of the branch that is looked at; null: the selected one
 * @property {Target|null} target a message to go to
 * @property {TranscriptRow[]} rows
 * @property {Pending[]} pending messages on their way to the server
 * @property {boolean} hasOlder
 * @property {(id: string|null) => string} nameOf a model's display name
 * @property {string} sourceTitle of the conversation that a fork comes from
 * @property {boolean} busy an action is on its way
 * @property {MessageActions} actions
 * @property {(row: TranscriptRow) => void} onInspect
 * @property {number} pinSignal changes whenever the view has to go to the end: a message was sent
 */

/** @param {TranscriptProps} props */
export function Transcript({
  conversationId, leafId, target, rows, pending, hasOlder, nameOf, sourceTitle, busy, actions, onInspect, pinSignal,
}) {
  const focusedIndex = useRef(-1);
  const { scroller, content, pinned, pin, unpin, toEnd } = useStickToBottom();

  const items = useMemo(() => itemsOf(rows, pending), [rows, pending]);

  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer is read in this component only
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimateHeight(/** @type {Item} */ (items[index])),
    getItemKey: (index) => items[index]?.key ?? index,
    overscan: 3,
    paddingStart: 16,
    anchorTo: 'end',
    // A reader who has let go is not taken along again, even where the view happens to stand at the end.
    scrollEndThreshold: pinned ? 1 : -1,
    // A message with the focus stays in the page even when it is scrolled far away: focus is never lost.
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range);
      const focused = focusedIndex.current;
      if (focused >= 0 && focused < range.count && !indexes.includes(focused)) {
        indexes.push(focused);
        indexes.sort((a, b) => a - b);
      }
      return indexes;
    },
  });

  useLayoutEffect(() => adjustAboveView(virtualizer), [virtualizer]);

  const targetId = target?.id ?? '';
  const targetIndex = targetId ? items.findIndex((item) => item.rows.some((row) => row.id === targetId)) : -1;
  const visit = targetIndex < 0 ? '' : (target?.visit ?? '');
  const arrived = useRef(/** @type {string|null} */ (null));
  const count = items.length;
  useLayoutEffect(() => {
    if (count === 0 || arrived.current === visit) return undefined;
    const first = arrived.current === null;
    if (targetIndex < 0) {
      arrived.current = visit;
      // Only who has just come is taken to the end: a message that was gone to stays where it is.
      if (first) pin();
      return undefined;
    }
    unpin();
    // Heights are guesses until a message has been drawn once, so the way there is gone in several steps.
    let steps = ARRIVAL_FRAMES;
    let frame = 0;
    const step = () => {
      virtualizer.scrollToIndex(targetIndex, { align: 'start' });
      steps -= 1;
      if (steps > 0) {
        frame = requestAnimationFrame(step);
        return;
      }
      arrived.current = visit;
      focusMessage(content.current, targetIndex);
    };
    step();
    return () => cancelAnimationFrame(frame);
  }, [count, visit, targetIndex, pin, unpin, virtualizer, content]);

  // Another branch is another text: it is read from its end, as when one comes to a conversation.
  const end = rows.at(-1)?.id ?? null;
  const looked = useRef({ leafId, end });
  useLayoutEffect(() => {
    const before = looked.current;
    looked.current = { leafId, end };
    // The same branch under its own address is not another text.
    if (before.leafId === leafId || before.end === end) return;
    if (leafId !== null && visit === '') pin();
  }, [leafId, end, visit, pin]);

  useLayoutEffect(() => {
    if (pinSignal > 0) pin();
  }, [pinSignal, pin]);

  const total = virtualizer.getTotalSize();
  useLayoutEffect(() => {
    if (pinned) toEnd();
  }, [pinned, total, toEnd]);

  // After what goes to the end, so that it has the last word on where the view stands.
  const keepVersion = useKeepVersionInPlace({ items, pinned, pin, unpin });
  const onSwitch = useCallback(
    /** @param {string} versionId @param {HTMLElement} button */
    (versionId, button) => {
      keepVersion(versionId, button);
      void actions.switchTo(versionId);
    },
    [actions, keepVersion],
  );

  const visible = virtualizer.getVirtualItems();
  // At the end of a conversation nobody asks for its beginning, also not while it is being laid out.
  const nearTop = hasOlder && !pinned && (virtualizer.scrollOffset ?? 0) < FETCH_OLDER_WITHIN_PX && visible.length > 0;
  useEffect(() => {
    if (!nearTop || !conversationId) return;
    loadOlderMessages(conversationId, leafId).catch((error) => showToast({ text: asProblem(error).message }));
  }, [nearTop, conversationId, leafId, rows]);

  const onFocus = useCallback(/** @param {import('react').FocusEvent} event */ (event) => {
    const element = /** @type {HTMLElement} */ (event.target).closest('[data-index]');
    focusedIndex.current = element ? Number(element.getAttribute('data-index')) : -1;
  }, []);
  const onBlur = useCallback(() => {
    focusedIndex.current = -1;
  }, []);

  const jump = () => {
    pin();
    // The button goes; the focus must not go with it.
    scroller.current?.focus({ preventScroll: true });
  };

  // While there are older messages, how many there are in all is not known.
  const setSize = hasOlder ? -1 : items.length;

  return (
    <div className={styles.frame}>
      {/* eslint-disable jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <div
        ref={scroller}
        className={styles.scroller}
        role="region"
        aria-label="Messages"
        tabIndex={0}
        onFocus={onFocus}
        onBlur={onBlur}
      >
        {/* eslint-enable jsx-a11y/no-noninteractive-tabindex */}
        <div ref={content} className={styles.content} role="feed" aria-label="Conversation" style={{ height: total }}>
          {visible.map((slot) => {
            const item = /** @type {Item} */ (items[slot.index]);
            const row = item.rows[0];
            const placed = {
              busy,
              linked: slot.index === targetIndex,
              setSize,
              position: slot.index + 1,
              actions,
              onSwitch,
            };
            return (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={slot.index}
                id={row?.id}
                className={styles.slot}
                style={{ transform: `translateY(${slot.start}px)` }}
              >
                {!row && (
                  <SendingMessage content={item.pending?.content ?? ''} setSize={setSize} position={slot.index + 1} />
                )}
                {(row?.role === 'system' || row?.role === 'tool') && <BroughtMessage row={row} {...placed} />}
                {row?.role === 'user' && <UserMessage row={row} {...placed} />}
                {row?.role === 'assistant' && (
                  <Reply
                    rows={item.rows}
                    nameOf={nameOf}
                    last={slot.index === items.length - 1}
                    onInspect={onInspect}
                    {...placed}
                  />
                )}
                {item.lastInherited && (
                  <p className={styles.divider}>
                    <span>Up to here from {sourceTitle ? `“${sourceTitle}”` : 'another conversation'}</span>
                  </p>
                )}
              </div>
            );
          })}
        </div>
      </div>
      {!pinned && (
        <div className={styles.jump}>
          <Button onClick={jump} aria-label="Jump to latest">
            <DownIcon />
            Latest
          </Button>
        </div>
      )}
    </div>
  );
}
