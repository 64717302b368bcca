/** One token: what it is for, how it begins, when it was made and last used. */
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import styles from './TokensPage.module.css';

/** @typedef {import('../../api/tokens.js').ApiToken} ApiToken */

/** @param {{token: ApiToken, refusal: string, onRevoke: () => void}} props */
export function TokenRow({ token, refusal, onRevoke }) {
  return (
    <li className={styles.row}>
      <div className={styles.what}>
        <strong>
          <bdi>{token.name || 'Without a name'}</bdi>
        </strong>
        <span>
          Begins with <code>{token.id}</code>
        </span>
        <span>
          Made <Moment at={token.created} /> · {token.last_used ? <>last used <Moment at={token.last_used} /></> : 'never used'}
        </span>
      </div>
      <Button aria-label={`Revoke ${token.name || token.id}…`} onClick={onRevoke}>
        Revoke…
      </Button>
      {refusal && (
        <div className={styles.refusal}>
          <Notice>{refusal}</Notice>
        </div>
      )}
    </li>
  );
}

/** @param {{at: string}} props */
function Moment({ at }) {
  return <time dateTime={at}>{new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}</time>;
}
