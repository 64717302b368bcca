/** The frame of every page that is read from top to bottom: its head, and below it one column that scrolls. */
import { PageHead } from './PageHead.jsx';
import styles from './ScrollingPage.module.css';

/**
 * @param {{
 *   title?: string,
 *   documentTitle: string,
 *   className: string|undefined,
 *   ref?: import('react').Ref<HTMLDivElement>,
 *   children: import('react').ReactNode,
 * }} props title: empty for no visible heading; className: how wide the column is, and what is special about it; ref: to the column
 */
export function ScrollingPage({ title = '', documentTitle, className, ref, children }) {
  return (
    <main className={styles.main} id="main">
      <PageHead title={title} documentTitle={documentTitle} />
      <div className={styles.scroll}>
        <div className={`${styles.column} ${className}`} ref={ref}>
          {children}
        </div>
      </div>
    </main>
  );
}
