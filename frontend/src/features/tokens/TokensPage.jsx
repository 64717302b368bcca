/**
 * The API tokens of the person who is logged in: with one, a program acts for them. A token is shown once, right after
 * it was made; from then on only how it begins is known.
 */
import { useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { ConfirmDialog } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import { Examples } from './Examples.jsx';
import { MakeToken } from './MakeToken.jsx';
import { NewToken } from './NewToken.jsx';
import { refetchTokens, revokeToken, useTokens } from './queries.js';
import { TokenRow } from './TokenRow.jsx';
import styles from './TokensPage.module.css';

/** @typedef {import('../../api/tokens.js').ApiToken} ApiToken */

export default function TokensPage() {
  return (
    <ScrollingPage documentTitle="API tokens" className={styles.column}>
      <Link className={styles.back} to="/settings">
        Settings
      </Link>
      <h1>API tokens</h1>
      <p className={styles.about}>
        With a token, a program acts for you: an editor, a script, another chat. What it asks a model is recorded, and
        listed with <Link to="/audit/calls?source=openai">your model calls</Link>.
      </p>
      <Tokens />
    </ScrollingPage>
  );
}

function Tokens() {
  const tokens = useTokens();
  const [made, setMade] = useState(/** @type {(ApiToken & {token: string})|null} */ (null));
  const [revoking, setRevoking] = useState(/** @type {ApiToken|null} */ (null));
  const [refusal, setRefusal] = useState(/** @type {{id: string, message: string}|null} */ (null));
  /** @type {import('react').RefObject<HTMLInputElement|null>} */
  const nameField = useRef(null);
  const removed = useRef('');
  const rows = tokens.data ?? [];

  useEffect(() => {
    if (removed.current === '' || tokens.data?.some(({ id }) => id === removed.current)) return undefined;
    removed.current = '';
    // Its button had the focus and is gone; the question about it has closed by the next frame.
    const frame = requestAnimationFrame(() => {
      if (document.activeElement === document.body) nameField.current?.focus();
    });
    return () => cancelAnimationFrame(frame);
  }, [tokens.data]);

  /** @param {ApiToken} token */
  const revoke = async (token) => {
    setRefusal(null);
    removed.current = token.id;
    try {
      await revokeToken(token);
      announce(`${token.name} is revoked`);
      if (made?.id === token.id) setMade(null);
    } catch (error) {
      removed.current = '';
      setRefusal({ id: token.id, message: asProblem(error).message });
      // No answer, or one that says it is gone already: what there is now is worth knowing.
      void refetchTokens();
    }
  };

  return (
    <>
      <MakeToken field={nameField} onMade={setMade} />
      {made && (
        <NewToken
          key={made.id}
          made={made}
          onDone={() => {
            setMade(null);
            nameField.current?.focus();
          }}
        />
      )}
      {tokens.isError && !tokens.data && (
        <div className={styles.trouble}>
          <Notice>{asProblem(tokens.error).message}</Notice>
          <Button onClick={() => void tokens.refetch()}>{tokens.isFetching ? 'Asking…' : 'Retry'}</Button>
        </div>
      )}
      {tokens.isPending && <p className={styles.about}>Reading the list…</p>}
      {tokens.isSuccess && rows.length === 0 && <NothingYet />}
      {refusal && !rows.some(({ id }) => id === refusal.id) && <Notice>{refusal.message}</Notice>}
      {rows.length > 0 && (
        <>
          <ul className={styles.list} aria-label="API tokens">
            {rows.map((token) => (
              <TokenRow
                key={token.id}
                token={token}
                refusal={refusal?.id === token.id ? refusal.message : ''}
                onRevoke={() => setRevoking(token)}
              />
            ))}
          </ul>
          <Examples token={made?.token ?? null} />
        </>
      )}
      <ConfirmDialog
        open={revoking !== null}
        onOpenChange={(open) => !open && setRevoking(null)}
        title="Revoke this token?"
        description={`Programs that use “${revoking?.name ?? ''}” are refused from now on. What they asked stays recorded. A revoked token cannot be brought back.`}
        confirmLabel="Revoke"
        onConfirm={() => revoking && void revoke(revoking)}
      />
    </>
  );
}

function NothingYet() {
  return (
    <div className={styles.empty}>
      <p>
        <strong>No tokens yet.</strong> Any program that speaks OpenAI’s interface can use the models here, with a token
        in place of an API key. Make one token for each program: then each can be revoked without the others.
      </p>
      <p>
        <a href="/api/docs/#openai_chat_completions" target="_blank" rel="noopener">
          What programs can ask, and what is recorded of it
        </a>
      </p>
    </div>
  );
}
