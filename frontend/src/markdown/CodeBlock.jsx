/** A block of code: scrolls inside itself, can be copied exactly, is coloured when complete. */
import { memo, useEffect, useState } from 'react';

import { copyText } from '../ui/clipboard.js';
import { CheckIcon, CopyIcon } from '../ui/icons.jsx';
import styles from './Markdown.module.css';

/** Beyond this, colouring would hold up the page longer than it helps reading. */
const MOST_CHARACTERS = 60_000;

/**
 * @param {string} code
 * @param {string} language
 * @param {boolean} wanted
 * @returns {string|null} HTML, with every character of the code escaped by the highlighter
 */
function useHighlighted(code, language, wanted) {
  const [done, setDone] = useState(/** @type {{code: string, html: string|null}|null} */ (null));
  const want = wanted && language !== '' && code.length <= MOST_CHARACTERS;
  useEffect(() => {
    if (!want) return undefined;
    let current = true;
    import('./highlighter.js')
      .then(({ highlight }) => {
        if (current) setDone({ code, html: highlight(code, language) });
      })
      .catch(() => {
        // Colours are an extra: without the highlighter's file the code stays plain and readable.
        if (current) setDone({ code, html: null });
      });
    return () => {
      current = false;
    };
  }, [code, language, want]);
  return want && done?.code === code ? done.html : null;
}

export const CodeBlock = memo(
  /** @param {{code: string, language: string, open: boolean}} props */
  function CodeBlock({ code, language, open }) {
    const html = useHighlighted(code, language, !open);
    const [copied, setCopied] = useState(false);
    useEffect(() => {
      if (!copied) return undefined;
      const timer = setTimeout(() => setCopied(false), 2000);
      return () => clearTimeout(timer);
    }, [copied]);
    const label = language ? `Code in ${language}` : 'Code';
    return (
      <div className={styles.codeBlock}>
        <div className={styles.codeHead}>
          <span>{language || 'text'}</span>
          <button
            type="button"
            className={styles.copyCode}
            aria-label="Copy code"
            onClick={async () => setCopied(await copyText(code))}
          >
            {copied ? <CheckIcon /> : <CopyIcon />}
            <span aria-hidden="true">{copied ? 'Copied' : 'Copy'}</span>
          </button>
        </div>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
        <pre tabIndex={0} aria-label={label} role="group">
          {html === null ? <code>{code}</code> : <code dangerouslySetInnerHTML={{ __html: html }} />}
        </pre>
      </div>
    );
  },
);
