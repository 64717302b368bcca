/**
 * The messages of a request, as the model saw them. Of a long request the first and the last ones are drawn, the
 * others when they are asked for; of a long message its beginning.
 */
import { useState } from 'react';

import { Button } from '../../ui/Button.jsx';
import { countedMessages, omittedNote } from './facts.js';
import { partsOf } from './parts.js';
import styles from './PromptMessages.module.css';

/** @typedef {import('../../api/modelCalls.js').PromptMessage} PromptMessage */
/** @typedef {import('../../api/modelCalls.js').Trimming} Trimming */

const LAST_SHOWN = 20;
const MORE_AT_ONCE = 100;
const LONG_CHARACTERS = 1_200;
const BEGINNING_CHARACTERS = 800;

/** @param {{messages: PromptMessage[], omittedCount: number|null, trimming: Trimming|null}} props */
export function PromptMessages({ messages, omittedCount, trimming }) {
  return (
    <>
      {omittedCount !== null && omittedCount > 0 && (
        <p className={styles.note}>{omittedNote(omittedCount, trimming)}</p>
      )}
      <p className={styles.count}>{countedMessages(messages.length)}</p>
      <MessageList messages={messages} firstNumber={1} label="Messages sent" />
    </>
  );
}

/**
 * @param {{messages: PromptMessage[], firstNumber: number|null, label: string}} props firstNumber: null for no numbers
 */
export function MessageList({ messages, firstNumber, label }) {
  const [more, setMore] = useState(0);
  const skipped = Math.max(0, messages.length - 1 - LAST_SHOWN - more);
  const [first] = messages;
  const rest = messages.slice(1 + skipped);
  return (
    <ol className={styles.messages} aria-label={label}>
      {first && <Message message={first} number={firstNumber} />}
      {skipped > 0 && (
        <li className={styles.skipped}>
          <span>{countedMessages(skipped)} between are not drawn.</span>
          <Button onClick={() => setMore(more + MORE_AT_ONCE)}>Show {Math.min(MORE_AT_ONCE, skipped)} more</Button>
        </li>
      )}
      {rest.map((message, index) => (
        // Counted from the end, so that messages that are drawn later move none of these.
        <Message
          key={index - rest.length}
          message={message}
          number={firstNumber === null ? null : firstNumber + 1 + skipped + index}
        />
      ))}
    </ol>
  );
}

/** @param {{message: PromptMessage, number: number|null}} props */
function Message({ message, number }) {
  const [whole, setWhole] = useState(false);
  const { role, content, ...others } = message;
  const text = contentText(content);
  const more = Object.keys(others).length > 0 ? JSON.stringify(others, null, 2) : '';
  const long = text.length > LONG_CHARACTERS;
  return (
    <li className={styles.message}>
      <span className={styles.role}>
        {number !== null && <span className={styles.number}>{number}</span>}
        {role}
      </span>
      <div className={styles.content}>{long && !whole ? `${partsOf(text, BEGINNING_CHARACTERS)[0]}…` : text}</div>
      {long && (
        <button type="button" className={styles.whole} aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? 'Show only the beginning' : `Show all ${text.length.toLocaleString('en')} characters`}
        </button>
      )}
      {more && <pre className={styles.others}>{more}</pre>}
    </li>
  );
}

/** @param {unknown} content a text, parts, or nothing, as where a model only asks for tools */
function contentText(content) {
  if (content === null || content === undefined) return '';
  return typeof content === 'string' ? content : JSON.stringify(content, null, 2);
}
