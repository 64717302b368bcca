/** Finds differing words without keeping anybody waiting: one pair of texts at a time, each in a task of its own. */
import { useEffect, useState } from 'react';

import { diffWords } from './wordDiff.js';

/** @typedef {import('./wordDiff.js').WordDiff} WordDiff */

/** @type {(() => void)[]} */
const waiting = [];
let running = false;

function runNext() {
  const job = waiting.shift();
  running = job !== undefined;
  if (!job) return;
  try {
    job();
  } finally {
    setTimeout(runNext, 0);
  }
}

/** @param {() => void} job */
function enqueue(job) {
  waiting.push(job);
  if (running) return;
  running = true;
  setTimeout(runNext, 0);
}

/**
 * @param {string|null} left
 * @param {string|null} right
 * @returns {WordDiff|null} null until it is known, and where one side has no text to compare with
 */
export function useWordDiff(left, right) {
  const [found, setFound] = useState(/** @type {{left: string, right: string, diff: WordDiff}|null} */ (null));
  useEffect(() => {
    if (left === null || right === null) return undefined;
    let wanted = true;
    enqueue(() => {
      if (wanted) setFound({ left, right, diff: diffWords(left, right) });
    });
    return () => {
      wanted = false;
    };
  }, [left, right]);
  return found !== null && found.left === left && found.right === right ? found.diff : null;
}
