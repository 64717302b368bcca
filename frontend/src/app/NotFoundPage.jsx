/** One page for what does not exist and for what belongs to somebody else. */
import { Link } from 'react-router';

import styles from './NotFoundPage.module.css';
import { PageHead } from './PageHead.jsx';

/** @type {Record<string, string>} */
const WHY = {
  conversation: 'It does not exist, it was deleted, or it belongs to somebody else.',
  'model call': 'It does not exist, or it belongs to somebody else.',
};

/** @param {{what?: string}} props */
export function NotFoundPage({ what = 'page' }) {
  return (
    <main className={styles.main} id="main">
      <PageHead title="" documentTitle="Not found" />
      <div className={styles.inner}>
        <h1>This {what} is not here</h1>
        <p>
          {WHY[what] ?? 'The address leads nowhere. It may have been typed by hand, or changed.'}
        </p>
        <Link to="/">Start a new conversation</Link>
      </div>
    </main>
  );
}
