/** One turn of two branches, side by side. Words that only one side has are underlined or struck, and said to be so. */
import { memo } from 'react';

import { seconds } from '../transcript/seal.js';
import { difference, figuresOf, tokenCount } from './figures.js';
import styles from './TurnPair.module.css';
import { useWordDiff } from './useWordDiff.js';

/** @typedef {import('./align.js').Pair} Pair */
/** @typedef {import('./align.js').Turn} Turn */
/** @typedef {import('./wordDiff.js').WordDiff} WordDiff */
/** @typedef {'left'|'right'} Side */

/** @type {Record<string, string>} */
const ENDS = {
  pending: 'Still being written',
  truncated: 'Cut off',
  interrupted: 'Interrupted',
  cancelled: 'Stopped',
  failed: 'No reply',
};
const WHY_WHOLE = {
  long: 'Too long to mark single words.',
  unlike: 'Too different to mark single words.',
};

export const TurnPair = memo(
  /** @param {{pair: Pair, nameOf: (model: string|null) => string}} props */
  function TurnPair({ pair, nameOf }) {
    const { number, left, right } = pair;
    const question = useWordDiff(left?.question ?? null, right?.question ?? null);
    const answer = useWordDiff(left?.answer ?? null, right?.answer ?? null);
    return (
      <section className={styles.turn} aria-label={`Turn ${number}`}>
        <h2>Turn {number}</h2>
        {(left?.question || right?.question) && (
          <div className={styles.row}>
            {question?.same ? (
              <div className={`${styles.cell} ${styles.both} ${styles.question}`}>
                <p className={styles.label}>You, on both sides</p>
                <div className={styles.text}>{left?.question}</div>
              </div>
            ) : (
              <>
                <Question side="left" turn={left} diff={question} />
                <Question side="right" turn={right} diff={question} />
              </>
            )}
          </div>
        )}
        <div className={styles.row}>
          <Answer side="left" turn={left} diff={answer} nameOf={nameOf} />
          <Answer side="right" turn={right} diff={answer} nameOf={nameOf} />
        </div>
        <Note pair={pair} diff={answer} />
      </section>
    );
  },
);

/** @param {Side} side */
const nameOfSide = (side) => (side === 'left' ? 'Left' : 'Right');

/** @param {{side: Side, turn: Turn|null, diff: WordDiff|null}} props */
function Question({ side, turn, diff }) {
  if (!turn || turn.question === null) return <Nothing side={side} />;
  return (
    <div className={`${styles.cell} ${styles.question}`} role="group" aria-label={`${nameOfSide(side)}, your message`}>
      <p className={styles.label}>{nameOfSide(side)} · You</p>
      <Text side={side} text={turn.question} diff={diff} />
    </div>
  );
}

/** @param {{side: Side, turn: Turn|null, diff: WordDiff|null, nameOf: (model: string|null) => string}} props */
function Answer({ side, turn, diff, nameOf }) {
  if (!turn || turn.answer === null) return <Nothing side={side} />;
  const end = ENDS[turn.outcome ?? 'complete'];
  return (
    <div className={styles.cell} role="group" aria-label={`${nameOfSide(side)}, reply`}>
      <p className={styles.label}>
        {nameOfSide(side)} · {figuresOf(turn, nameOf)}
        {end && <span className={styles.end}> · {end}</span>}
      </p>
      <Text side={side} text={turn.answer} diff={diff} />
    </div>
  );
}

/** @param {{side: Side}} props */
function Nothing({ side }) {
  return <p className={`${styles.cell} ${styles.nothing}`}>{nameOfSide(side)}: nothing here</p>;
}

/** @param {{side: Side, text: string, diff: WordDiff|null}} props */
function Text({ side, text, diff }) {
  if (diff === null) return <div className={styles.text}>{text}</div>;
  if (diff.whole) return <div className={`${styles.text} ${styles.whole}`}>{text}</div>;
  return (
    <div className={styles.text}>
      {diff[side].map((part, index) =>
        part.changed ? (
          <Marked key={index} side={side} text={part.text} />
        ) : (
          <span key={index}>{part.text}</span>
        ),
      )}
    </div>
  );
}

/**
 * The spaces after the last word are left out of the mark, not out of the text.
 * @param {{side: Side, text: string}} props
 */
function Marked({ side, text }) {
  const Mark = side === 'left' ? 'del' : 'ins';
  const words = text.trimEnd();
  return (
    <>
      <Mark>
        <span className={`visually-hidden ${styles.said}`}> [only {side}: </span>
        {words || text}
        <span className={`visually-hidden ${styles.said}`}>] </span>
      </Mark>
      {words && text.slice(words.length)}
    </>
  );
}

/** @param {{pair: Pair, diff: WordDiff|null}} props */
function Note({ pair: { left, right }, diff }) {
  if (!left || !right || left.answer === null || right.answer === null) return null;
  const parts = [];
  if (diff?.same) parts.push('The replies are the same, word for word.');
  if (diff?.whole) parts.push(`The replies differ as a whole. ${WHY_WHOLE[diff.whole]}`);
  const apart = [
    difference(left.tokens, right.tokens, tokenCount),
    difference(left.duration_ms, right.duration_ms, seconds),
  ].filter((text) => text !== '' && text !== 'no difference');
  if (apart.length > 0) parts.push(`Right: ${apart.join(', ')}.`);
  return parts.length > 0 ? <p className={styles.note}>{parts.join(' ')}</p> : null;
}
