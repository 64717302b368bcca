/** What a page says and listens to while a reply is being written. */
import { useEffect, useRef } from 'react';

import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { announce } from '../../ui/announcer.jsx';
import { severalRunners } from '../composer/models.js';
import { stopReply } from '../composer/useSend.js';
import { liveText } from './liveText.js';
import { firstSentence } from './seal.js';
import { waitWords } from './waiting.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/**
 * Say once that a reply began and once how it ended; never its words as they come. Nobody waits for the single turns
 * of a replay: its own bar says how far it has come.
 * @param {TranscriptRow|undefined} last
 */
export function useReplyAnnouncements(last) {
  const pendingId = useRef('');
  const id = last?.id ?? '';
  const outcome = last?.outcome ?? null;
  const content = last?.content ?? '';
  const quiet = Boolean(last?.replay);
  useEffect(() => {
    if (quiet) return;
    if (outcome === 'pending') {
      if (pendingId.current !== id) announce('Assistant is replying');
      pendingId.current = id;
      return;
    }
    if (pendingId.current !== id || id === '') return;
    pendingId.current = '';
    if (outcome === 'complete') announce(`Reply finished. ${firstSentence(content)}`);
    else if (outcome === 'cancelled') announce('Reply ended by you');
    else announce('The reply did not finish');
  }, [id, outcome, content, quiet]);
}

/**
 * Say once of each state what the reply waits for; never a percentage or a second that is counted.
 * @param {TranscriptRow|undefined} pendingReply
 */
export function useWaitAnnouncements(pendingReply) {
  const id = pendingReply?.id ?? '';
  const quiet = !pendingReply || Boolean(pendingReply.replay);
  useEffect(() => {
    if (quiet) return undefined;
    let said = '';
    return liveText.subscribe(id, () => {
      const { wait, text, stopping } = liveText.read(id);
      if (text || stopping) return;
      const models = /** @type {import('../../api/types.js').ModelList|undefined} */ (queryClient.getQueryData(keys.models));
      const { spoken } = waitWords(wait, { severalRunners: severalRunners(models), now: Date.now() });
      if (spoken && spoken !== said) announce(spoken);
      said = spoken;
    });
  }, [id, quiet]);
}

/**
 * Esc stops the reply, unless it was meant for a menu, a dialog or a text being composed.
 * @param {TranscriptRow|undefined} pendingReply
 */
export function useEscapeStops(pendingReply) {
  useEffect(() => {
    if (!pendingReply) return undefined;
    /** @param {KeyboardEvent} event */
    const onKeyDown = (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return;
      if (/** @type {HTMLElement} */ (event.target).closest?.('[data-owns-escape]')) return;
      void stopReply(pendingReply);
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [pendingReply]);
}
