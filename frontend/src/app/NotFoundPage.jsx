/** One page for what does not exist and for what belongs to somebody else. */
import { Link } from 'react-router';

import styles from './NotFoundPage.module.css';
import { PageHead } from './PageHead.jsx';

/** @type {Record<string, string>} */
const WHY = {
  conversation: 'It does not exist, it was deleted, or it belongs to somebody else.',
  'model call': 'It does not exist, or it belongs to somebody else.',
};

/** @param {{what?: string, why?: string}} props why: in the server's words, where it says more than that it is not there */
export function NotFoundPage({ what = 'page', why }) {
  return (
    <main className={styles.main} id="main">
      <PageHead title="" documentTitle="Not found" />
      <div className={styles.inner}>
        <h1>This {what} is not here</h1>
        <p>
          {why ?? WHY[what] ?? 'The address leads nowhere. It may have been typed by hand, or changed.'}
        </p>
        <Link to="/">Start a new conversation</Link>
      </div>
    </main>
  );
}
