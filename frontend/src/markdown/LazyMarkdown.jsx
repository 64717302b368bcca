/** The Markdown renderer as a part of its own, fetched while the page is idle; until then the text is plain. */
import { Suspense, lazy } from 'react';

import styles from './LazyMarkdown.module.css';

const load = () => import('./Markdown.jsx');
const Markdown = lazy(load);

/** Fetch the renderer before it is needed. */
export function preloadMarkdown() {
  const later = window.requestIdleCallback ?? ((/** @type {() => void} */ run) => setTimeout(run, 300));
  // A failed preload is no failure: showing a message asks again, and shows the error if there is one.
  later(() => void load().catch(() => undefined));
}

/** @param {{text: string}} props */
export function LazyMarkdown({ text }) {
  return (
    <Suspense fallback={<div className={styles.plain}>{text}</div>}>
      <Markdown text={text} />
    </Suspense>
  );
}
