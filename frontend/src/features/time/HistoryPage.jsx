/**
 * A conversation as it was at any moment of its life: a slider over all that happened to it, and below what it looked
 * like then, also branches and conversations that were hidden or deleted later. To be read only.
 */
import { useCallback, useEffect, useEffectEvent, useId, useMemo, useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { NotFoundPage } from '../../app/NotFoundPage.jsx';
import { PageHead } from '../../app/PageHead.jsx';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { modelName, useModels } from '../composer/models.js';
import { useConversation } from '../conversations/queries.js';
import { useStickToBottom } from '../transcript/useStickToBottom.js';
import { eventInWords } from './eventWords.js';
import styles from './HistoryPage.module.css';
import { PastMessages } from './PastMessages.jsx';
import { usePast } from './usePast.js';

/** @typedef {import('../../api/time.js').PastConversation} PastConversation */

const REST_MS = 250;

export default function HistoryPage() {
  const { id = '', version = '' } = useParams();
  if (!/^\d{1,9}$/.test(version)) return <NotFoundPage />;
  return <History key={id} conversationId={id} version={Number(version)} />;
}

/** @param {{conversationId: string, version: number}} props */
function History({ conversationId, version }) {
  const [search] = useSearchParams();
  const leafId = search.get('leaf');
  const navigate = useNavigate();
  const models = useModels();
  const nameOf = useCallback(/** @param {string|null} model */ (model) => modelName(models.data, model), [models.data]);
  const now = useConversation(conversationId);
  const past = usePast(conversationId, version, leafId);
  const { scroller, content, pin } = useStickToBottom();

  const shown = past.data?.pages[0]?.conversation;
  const rows = useMemo(() => (past.data?.pages ?? []).toReversed().flatMap((page) => page.results), [past.data]);
  const latest = Math.max(shown?.latest_version ?? 0, now.data?.version ?? 0);
  const shownVersion = shown?.version;
  useEffect(() => {
    if (shownVersion !== undefined) pin();
  }, [shownVersion, leafId, pin]);

  const problem = past.error ? asProblem(past.error) : null;
  if (problem?.status === 404) return <NotFoundPage what="conversation" />;

  const title = shown?.title || now.data?.title || '';
  return (
    <main className={styles.main} id="main">
      <PageHead title={title} documentTitle={`History${title ? ` · ${title}` : ''}`} />
      <section className={styles.controls} aria-label="History">
        <VersionSlider
          version={version}
          latest={latest}
          shown={shown?.version === version ? shown : undefined}
          onRest={(wanted) => void navigate(`/c/${conversationId}/at/${wanted}`, { replace: true })}
        />
        <p className={styles.banner}>
          <span>
            You are looking at version {version.toLocaleString('en')}
            {version === latest ? ', the latest' : ''}. Nothing can be changed here.
            {shown?.deleted && ' The conversation was deleted then.'}
          </span>
          <Link to={`/c/${conversationId}`}>Back to now</Link>
        </p>
        {shown && (
          <Then
            shown={shown}
            leafId={leafId}
            nameOf={nameOf}
            onLeaf={(leaf) => void navigate(`/c/${conversationId}/at/${version}?leaf=${leaf}`, { replace: true })}
          />
        )}
      </section>
      {/* eslint-disable jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <div
        ref={scroller}
        className={styles.scroll}
        role="region"
        aria-label="Messages as they were"
        aria-busy={past.isPlaceholderData || past.isPending}
        tabIndex={0}
      >
        {/* eslint-enable jsx-a11y/no-noninteractive-tabindex */}
        <div ref={content} className={styles.column}>
          {problem && (
            <Notice>
              <p>{problem.message}</p>
              <Button onClick={() => void past.refetch()}>Retry</Button>
            </Notice>
          )}
          {past.isPending && <p className={styles.quiet}>Reading the events…</p>}
          {!problem && past.hasNextPage && (
            <Button disabled={past.isFetchingNextPage} onClick={() => void past.fetchNextPage()}>
              {past.isFetchingNextPage ? 'Fetching…' : 'Show earlier messages'}
            </Button>
          )}
          {!problem && past.data && rows.length === 0 && <p className={styles.quiet}>There were no messages yet.</p>}
          {!problem && <PastMessages rows={rows} nameOf={nameOf} />}
        </div>
      </div>
    </main>
  );
}

/** @param {string} at */
const timeOf = (at) => new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });

/**
 * Follows the hand at once; the page follows when the hand rests.
 * @param {{
 *   version: number,
 *   latest: number,
 *   shown: PastConversation|undefined,
 *   onRest: (version: number) => void,
 * }} props latest: 0 until it is known; shown: what is known of this version
 */
function VersionSlider({ version, latest, shown, onRest }) {
  const id = useId();
  const [wanted, setWanted] = useState(version);
  const [from, setFrom] = useState(version);
  if (from !== version) {
    // Another address, by this slider or by a link: the slider stands where the page is.
    setFrom(version);
    setWanted(version);
  }
  const rest = useEffectEvent(onRest);
  useEffect(() => {
    if (wanted === version) return undefined;
    const timer = setTimeout(() => rest(wanted), REST_MS);
    return () => clearTimeout(timer);
  }, [wanted, version]);

  const ready = latest >= 1;
  const facts = wanted === version && shown ? ` · ${eventInWords(shown.event)} · ${timeOf(shown.at)}` : '';
  const label = `Version ${wanted.toLocaleString('en')} of ${ready ? latest.toLocaleString('en') : '…'}${facts}`;
  /** @param {number} step */
  const move = (step) => setWanted((now) => Math.min(latest, Math.max(1, Math.min(now, latest + 1) + step)));
  // Buttons at an end stay in place, also for the focus: they only do nothing.
  return (
    <div className={styles.slider}>
      <label htmlFor={id} className={styles.version}>
        {label}
      </label>
      <div className={styles.track}>
        <Button aria-disabled={!ready || wanted <= 1 || undefined} onClick={() => ready && move(-1)}>
          Earlier
        </Button>
        <input
          id={id}
          type="range"
          min={1}
          max={Math.max(1, latest)}
          value={Math.min(wanted, Math.max(1, latest))}
          disabled={!ready}
          aria-valuetext={label}
          onChange={(event) => setWanted(Number(event.target.value))}
        />
        <Button aria-disabled={!ready || wanted >= latest || undefined} onClick={() => ready && move(1)}>
          Later
        </Button>
      </div>
    </div>
  );
}

/**
 * @param {{
 *   shown: PastConversation,
 *   leafId: string|null,
 *   nameOf: (model: string|null) => string,
 *   onLeaf: (leafId: string) => void,
 * }} props
 */
function Then({ shown, leafId, nameOf, onLeaf }) {
  const id = useId();
  const { settings, leaves } = shown;
  const params = Object.entries(/** @type {Record<string, unknown>} */ (settings.params ?? {}));
  return (
    <div className={styles.then}>
      {leaves.length > 1 && (
        <div className={styles.branch}>
          <label htmlFor={id}>Branch</label>
          <select
            id={id}
            value={leafId ?? shown.selected_leaf_id ?? ''}
            onChange={(event) => onLeaf(event.target.value)}
          >
            {leaves.map((leaf) => (
              <option key={leaf.leaf_id} value={leaf.leaf_id}>
                {leaf.excerpt || 'No text'}
                {leaf.leaf_id === shown.selected_leaf_id ? ' (selected then)' : ''}
                {leaf.hidden ? ' (hidden then)' : ''}
              </option>
            ))}
          </select>
        </div>
      )}
      <details className={styles.settings}>
        <summary>Settings of then</summary>
        <dl>
          <dt>Model</dt>
          <dd>{settings.model ? nameOf(settings.model) : 'The default'}</dd>
          <dt>System prompt</dt>
          <dd className={styles.prompt}>{settings.system_prompt || 'None'}</dd>
          {params.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{Array.isArray(value) ? value.join(', ') : String(value)}</dd>
            </div>
          ))}
        </dl>
      </details>
    </div>
  );
}
