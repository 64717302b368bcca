/**
 * The record of one model call, as a page that can be linked to: how it went for everybody who may see it, and what was
 * said. Of somebody else's call that is read only when it is asked for, since the reading itself is recorded.
 */
import { Suspense, lazy, useState } from 'react';
import { Link, useLocation, useParams } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { NotFoundPage } from '../../app/NotFoundPage.jsx';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { Button } from '../../ui/Button.jsx';
import { RetryIcon } from '../../ui/icons.jsx';
import { Seal } from '../../ui/Marks.jsx';
import { modelName, useModels, withoutRunner } from '../composer/models.js';
import { OUTCOMES, nameOfSomebody } from '../ledger/words.js';
import { sealState, seconds } from '../transcript/seal.js';
import { CallContent, Failure } from './CallContent.jsx';
import { CallAttempts, CallEvents, CallOrigin, CallSettings } from './CallFacts.jsx';
import factStyles from './CallFacts.module.css';
import styles from './CallPage.module.css';
import { CallReply } from './CallReply.jsx';
import { SOURCES, exactTime } from './facts.js';
import { useCall, useIsOwn } from './queries.js';
import { canBeReplayed } from './replayCall.js';

const ReplayCallDialog = lazy(() => import('./ReplayCallDialog.jsx'));

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */

export default function CallPage() {
  const { id = '' } = useParams();
  const { state } = useLocation();
  const call = useCall(id);
  const gone = call.error && !call.data && [400, 404].includes(asProblem(call.error).status);
  if (gone) return <NotFoundPage what="model call" />;
  return (
    <ScrollingPage documentTitle="Model call" className={styles.column}>
      <Link className={styles.back} to={{ pathname: '/audit/calls', search: state?.ledger ?? '' }}>
        All model calls
      </Link>
      {call.isPending && <p className={styles.quiet}>Reading the call…</p>}
      {call.isError && <Failure query={call} />}
      {call.data && <Call key={id} call={call.data} readAt={call.dataUpdatedAt} />}
    </ScrollingPage>
  );
}

/** @param {{call: ModelCall, readAt: number}} props readAt: milliseconds */
function Call({ call, readAt }) {
  const own = useIsOwn(call);
  return (
    <>
      <Headline call={call} own={own} />
      <div className={styles.parts}>
        <div className={styles.first}>
          <section className={styles.said} aria-labelledby="call-said">
            <h2 id="call-said">What was said</h2>
            {call.erased ? <Erased erased={call.erased} /> : <WhatWasSaid call={call} own={own} />}
          </section>
          {!call.erased && (
            <section className={factStyles.facts} aria-label="How it went">
              <CallAttempts call={call} readAt={readAt} />
              <CallEvents call={call} />
            </section>
          )}
        </div>
        <section className={`${styles.second} ${factStyles.facts}`} aria-label="Facts">
          {!call.erased && <CallSettings call={call} />}
          <CallOrigin call={call} />
        </section>
      </div>
    </>
  );
}

/** @type {Record<string, string>} */
const WHAT = { reply: 'A reply', replay: 'A turn of a replay', title: 'A title', external: 'A call of another program' };

/** @param {{call: ModelCall, own: boolean}} props */
function Headline({ call, own }) {
  const models = useModels();
  const [replaying, setReplaying] = useState(false);
  const facts = [
    call.usage.prompt_tokens !== null && `${call.usage.prompt_tokens.toLocaleString('en')} tokens in`,
    call.usage.completion_tokens !== null && `${call.usage.completion_tokens.toLocaleString('en')} out`,
    call.first_token_ms !== null && `first token after ${seconds(call.first_token_ms)}`,
    call.duration_ms !== null && `${seconds(call.duration_ms)} in all`,
  ].filter(Boolean);
  return (
    <header className={styles.headline}>
      <h1>
        <Seal state={sealState(call.outcome)} size={26} />
        <span>
          {OUTCOMES[call.outcome] ?? call.outcome} · {modelName(models.data, withoutRunner(call.model))}
        </span>
      </h1>
      <p className={styles.about}>
        {WHAT[call.purpose] ?? call.purpose} for {own ? 'you' : nameOfSomebody(call.user, call.owner_id)}, asked for
        through {SOURCES[call.source] ?? call.source} on <time dateTime={call.requested_at}>{exactTime(call.requested_at)}</time>.
      </p>
      {facts.length > 0 && <p className={styles.about}>{facts.join(' · ')}</p>}
      {call.error && <p className={styles.error}>{call.error.message}</p>}
      <nav className={styles.links} aria-label="This call elsewhere">
        {own && call.conversation_id && !call.erased && (
          <Link to={`/c/${call.conversation_id}${call.reply_id ? `?message=${call.reply_id}` : ''}`}>
            {call.reply_id ? 'Show it in its conversation' : 'Open its conversation'}
          </Link>
        )}
        {call.conversation_id && <Link to={`/audit/calls?conversation=${call.conversation_id}`}>All calls of this conversation</Link>}
        {!own && <Link to={`/audit/calls?user=${call.owner_id}`}>All calls of {nameOfSomebody(call.user, call.owner_id)}</Link>}
      </nav>
      {own && canBeReplayed(call) && (
        <Button className={styles.replay} onClick={() => setReplaying(true)}>
          <RetryIcon />
          Replay this call…
        </Button>
      )}
      {replaying && canBeReplayed(call) && (
        <Suspense fallback={null}>
          <ReplayCallDialog call={call} onClose={() => setReplaying(false)} />
        </Suspense>
      )}
    </header>
  );
}

/** @param {{erased: NonNullable<ModelCall['erased']>}} props */
function Erased({ erased }) {
  return (
    <div className={styles.gate}>
      <p>
        Erased on <time dateTime={erased.at}>{exactTime(erased.at)}</time> by {erased.by}: {erased.reason}
      </p>
      <p>What was sent and answered is gone for good. The log still proves that this call was recorded.</p>
    </div>
  );
}

/** @param {{call: ModelCall, own: boolean}} props */
function WhatWasSaid({ call, own }) {
  const [asked, setAsked] = useState(false);
  if (!own && !asked) {
    const owner = nameOfSomebody(call.user, call.owner_id);
    return (
      <div className={styles.gate}>
        <p>
          These are somebody else’s words. Reading them is recorded: {owner} will see that you did, and when.
        </p>
        <Button onClick={() => setAsked(true)}>Show what was said</Button>
      </div>
    );
  }
  const reply = { value: 'reply', label: 'Reply', content: <CallReply callId={call.id} version={call.version} /> };
  return (
    <div className={styles.content} tabIndex={-1} ref={own ? undefined : takeFocus}>
      <CallContent callId={call.id} call={call} parts={[reply]} />
    </div>
  );
}

/** The button that was pressed is gone. @param {HTMLElement|null} element */
function takeFocus(element) {
  element?.focus({ preventScroll: true });
}
