/**
 * Shows a model's Markdown: block by block, sanitised, with code highlighted once its fence is closed.
 * Loaded lazily. Raw HTML stays text, remote images are never fetched, links open in a new tab.
 */
import { memo, useMemo, useRef } from 'react';
import ReactMarkdown from 'react-markdown';
import rehypeSanitize from 'rehype-sanitize';

import { NOTHING, cutIntoBlocks } from './blocks.js';
import { CodeBlock } from './CodeBlock.jsx';
import { components } from './elements.jsx';
import { gfm } from './gfm.js';
import { htmlAsText } from './htmlAsText.js';
import styles from './Markdown.module.css';

const remarkPlugins = [gfm, htmlAsText];
const rehypePlugins = [rehypeSanitize];

const MarkdownBlock = memo(
  /** @param {{source: string}} props */
  function MarkdownBlock({ source }) {
    return (
      <ReactMarkdown remarkPlugins={remarkPlugins} rehypePlugins={rehypePlugins} components={components}>
        {source}
      </ReactMarkdown>
    );
  },
);

/**
 * @param {string} text
 * @returns {import('./blocks.js').Block[]}
 */
function useBlocks(text) {
  /** @type {import('react').RefObject<import('./blocks.js').Cut>} */
  const last = useRef(NOTHING);
  /* eslint-disable react-hooks/refs -- a cache of earlier work on the same text: reading it in render changes the cost, never the result */
  return useMemo(() => {
    last.current = cutIntoBlocks(text, last.current);
    return last.current.blocks;
  }, [text]);
  /* eslint-enable react-hooks/refs */
}

/** @param {{text: string}} props */
export default function Markdown({ text }) {
  const blocks = useBlocks(text);
  return (
    <div className={styles.markdown}>
      {blocks.map((block, index) =>
        block.kind === 'code' ? (
          <CodeBlock key={index} code={block.code} language={block.language} open={block.open} />
        ) : (
          <MarkdownBlock key={index} source={block.source} />
        ),
      )}
    </div>
  );
}
