/** What the pages have in common on which nobody is logged in yet. */
import { useEffect } from 'react';

import { Quotes } from '../ui/Marks.jsx';
import styles from './AuthPage.module.css';

/** @param {{heading: string, title?: string, children: import('react').ReactNode}} props title: of the window, if it is another */
export function AuthCard({ heading, title = heading, children }) {
  useEffect(() => {
    document.title = `${title} · Verbatim`;
  }, [title]);
  return (
    <main className={styles.page} id="main">
      <div className={styles.card}>
        <p className={styles.brand}>
          <Quotes size={22} />
          Verbatim
        </p>
        <h1>{heading}</h1>
        {children}
      </div>
    </main>
  );
}
