/** How single Markdown elements are shown. Headings step down two levels: the page's own come first. */
import { CodeBlock } from './CodeBlock.jsx';
import styles from './Markdown.module.css';

/**
 * @typedef {{node?: unknown, children?: import('react').ReactNode}} ElementProps
 */

/**
 * The plain text of what react-markdown made of a code element.
 * @param {import('react').ReactNode} node
 * @returns {string}
 */
function textOf(node) {
  if (typeof node === 'string') return node;
  if (Array.isArray(node)) return node.map(textOf).join('');
  return '';
}

/** @type {import('react-markdown').Components} */
export const components = {
  h1: ({ children }) => <h3 className={styles.h1}>{children}</h3>,
  h2: ({ children }) => <h4 className={styles.h2}>{children}</h4>,
  h3: ({ children }) => <h5 className={styles.h3}>{children}</h5>,
  h4: ({ children }) => <h6 className={styles.h4}>{children}</h6>,
  h5: ({ children }) => <h6 className={styles.h4}>{children}</h6>,
  h6: ({ children }) => <h6 className={styles.h4}>{children}</h6>,
  a: ({ href, children }) =>
    href ? (
      <a href={href} title={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  // Loading a remote image would tell its server who reads this: show where it is instead.
  img: ({ src, alt }) =>
    typeof src === 'string' && src !== '' ? (
      <a className={styles.image} href={src} title={src} target="_blank" rel="noopener noreferrer nofollow">
        Image: {alt || src}
      </a>
    ) : (
      <span className={styles.image}>Image: {alt || 'not shown'}</span>
    ),
  table: ({ children }) => (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
    <div className={styles.tableScroll} role="group" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  input: ({ checked }) => (
    <input type="checkbox" checked={checked ?? false} readOnly disabled aria-label={checked ? 'Done' : 'Not done'} />
  ),
  pre: ({ children }) => {
    const code = /** @type {import('react').ReactElement<{className?: string, children?: import('react').ReactNode}>} */ (
      Array.isArray(children) ? children[0] : children
    );
    const language = /language-(\S+)/.exec(code?.props?.className ?? '')?.[1]?.toLowerCase() ?? '';
    return <CodeBlock code={textOf(code?.props?.children).replace(/\n$/, '')} language={language} open={false} />;
  },
};
