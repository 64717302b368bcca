/** The product's own marks: the quotation mark of the name, and the seal under each reply. */
import styles from './Marks.module.css';

/** @param {{size?: number}} props */
export function Quotes({ size = 16 }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="currentColor" aria-hidden="true" focusable="false">
      <path d="M8 4.6C4.8 5.9 2.7 8.6 2.7 12.2c0 2.5 1.5 4.2 3.5 4.2 1.8 0 3.1-1.3 3.1-3 0-1.8-1.2-3-2.8-3h-.6c.2-1.7 1.3-3.2 3-4.2zm9 0c-3.2 1.3-5.3 4-5.3 7.6 0 2.5 1.5 4.2 3.5 4.2 1.8 0 3.1-1.3 3.1-3 0-1.8-1.2-3-2.8-3h-.6c.2-1.7 1.3-3.2 3-4.2z" />
    </svg>
  );
}

/**
 * pending: grey, open · whole: ink, a tick · cut: amber, a bar · broken: red, a cross. The shape says it too.
 * @typedef {'pending'|'whole'|'cut'|'broken'} SealState
 */

const EDGE = scallop(16, 8.6, 7.5);

/**
 * The edge of a wax seal: a circle with small waves.
 * @param {number} waves
 * @param {number} outer
 * @param {number} inner
 */
function scallop(waves, outer, inner) {
  const points = Array.from({ length: waves * 2 }, (_, step) => {
    const radius = step % 2 === 0 ? outer : inner;
    const angle = (step / (waves * 2)) * 2 * Math.PI;
    return `${(10 + radius * Math.sin(angle)).toFixed(2)} ${(10 - radius * Math.cos(angle)).toFixed(2)}`;
  });
  return `M${points.join('L')}Z`;
}

/** @type {Record<SealState, string>} */
const SIGN = {
  pending: '',
  whole: 'm6.8 10.2 2.2 2.2 4.2-4.6',
  cut: 'M6.8 10h6.4',
  broken: 'm7.5 7.5 5 5m0-5-5 5',
};

/** @param {{state: SealState, size?: number}} props */
export function Seal({ state, size = 16 }) {
  return (
    <svg
      className={`${styles.seal} ${styles[state]}`}
      width={size}
      height={size}
      viewBox="0 0 20 20"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={EDGE} className={styles.edge} />
      {SIGN[state] && <path d={SIGN[state]} className={styles.sign} />}
    </svg>
  );
}
