/**
 * A quiet bar above the composer while a branch is run again, and until its end has been seen: how far it is, how to
 * stop it, why it stopped and how to go on. What it shows is asked of the server, so it is there after a reload.
 */
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { cancelReplay, resumeReplay } from '../../api/replays.js';
import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { announce } from '../../ui/announcer.jsx';
import { Button, IconButton } from '../../ui/Button.jsx';
import { CloseIcon } from '../../ui/icons.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { modelName, useModels } from '../composer/models.js';
import { putAway, usePutAway } from './dismissed.js';
import { comparePath, isNews, useReplays } from './queries.js';
import styles from './ReplayBar.module.css';

/** @typedef {import('../../api/replays.js').Replay} Replay */

/** @param {{conversationId: string}} props */
export default function ReplayBar({ conversationId }) {
  const replays = useReplays(conversationId);
  const away = usePutAway();
  // eslint-disable-next-line react-hooks/purity -- whether an end is a day old may be decided anew at each drawing
  const now = Date.now();
  const shown = (replays.data ?? []).filter((replay) => isNews(replay, away, now));
  if (shown.length === 0) return null;
  return (
    <div className={styles.bars}>
      {shown.map((replay) => (
        <Bar key={replay.id} conversationId={conversationId} replay={replay} />
      ))}
    </div>
  );
}

/** @type {Record<Replay['state'], string>} */
const SAID = {
  running: 'The replay goes on',
  finished: 'The replay is finished',
  failed: 'The replay has stopped',
  cancelled: 'The replay is cancelled',
};

/** @param {{conversationId: string, replay: Replay}} props */
function Bar({ conversationId, replay }) {
  const models = useModels();
  const bar = useRef(/** @type {HTMLElement|null} */ (null));
  const refresh = () => queryClient.invalidateQueries({ queryKey: keys.replays(conversationId) });
  /** @param {unknown} error */
  const tell = (error) => showToast({ text: asProblem(error).message });
  const cancel = useMutation({ mutationFn: () => cancelReplay(replay.id), onSuccess: refresh, onError: tell });
  const resume = useMutation({ mutationFn: () => resumeReplay(replay.id), onSuccess: refresh, onError: tell });

  const { state } = replay;
  const before = useRef(state);
  useEffect(() => {
    if (before.current === state) return;
    before.current = state;
    announce(SAID[state]);
    // The buttons are others now: the focus stays with the bar if it was on one of them.
    if (document.activeElement === null || document.activeElement === document.body) bar.current?.focus();
  }, [state]);

  const { turns_done: done, turns_total: total } = replay;
  const running = state === 'running';
  const failed = state === 'failed';
  return (
    <section ref={bar} tabIndex={-1} className={styles.bar} aria-label={`Replay on ${modelName(models.data, replay.model)}`}>
      <div className={styles.words}>
        <p>
          <strong>{headline(replay)}</strong> <span className={styles.model}>{modelName(models.data, replay.model)}</span>
        </p>
        {failed && <p className={styles.reason}>{replay.error?.message ?? 'The reply did not come to an end.'}</p>}
        {running && <progress className={styles.progress} value={done} max={total} aria-label="Turns that are done" />}
      </div>
      <div className={styles.actions}>
        {failed && (
          <Button disabled={resume.isPending} onClick={() => resume.mutate()}>
            Resume
          </Button>
        )}
        {(running || failed) && (
          <Button disabled={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel replay
          </Button>
        )}
        {!running && replay.leaf_id && (
          <Link className={styles.link} to={comparePath(conversationId, replay)}>
            Compare with the original
          </Link>
        )}
        {!running && (
          <IconButton
            small
            label="Dismiss"
            onClick={() => {
              putAway(replay.id);
              /** @type {HTMLElement|null} */ (document.querySelector('main textarea'))?.focus();
            }}
          >
            <CloseIcon />
          </IconButton>
        )}
      </div>
    </section>
  );
}

/** @param {Replay} replay */
function headline({ state, turns_done: done, turns_total: total }) {
  const turn = Math.min(done + 1, total);
  switch (state) {
    case 'running':
      return `Running again: turn ${turn} of ${total}`;
    case 'failed':
      return `Stopped at turn ${turn} of ${total}`;
    case 'cancelled':
      return `Cancelled after ${done} of ${total} turns`;
    default:
      return `Ran again: ${total} ${total === 1 ? 'turn' : 'turns'}`;
  }
}
