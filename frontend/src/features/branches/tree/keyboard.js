/** Pure: which line of the tree a key leads to, as the ARIA pattern for trees has it. */

/** @typedef {import('./shape.js').Line} Line */

/**
 * @typedef {{go: number}|{toggle: string}|{openAll: string[]}|null} Step
 *   go: an index to move to; toggle: fold or unfold this message; null: the key means nothing here
 */

/**
 * @param {Line[]} lines
 * @param {number} current
 * @param {string} key
 * @param {number} page how many lines are in view
 * @returns {Step}
 */
export function stepFor(lines, current, key, page) {
  const line = lines[current];
  if (!line) return null;
  const last = lines.length - 1;
  switch (key) {
    case 'ArrowDown':
      return { go: Math.min(last, current + 1) };
    case 'ArrowUp':
      return { go: Math.max(0, current - 1) };
    case 'PageDown':
      return { go: Math.min(last, current + page) };
    case 'PageUp':
      return { go: Math.max(0, current - page) };
    case 'Home':
      return { go: 0 };
    case 'End':
      return { go: last };
    case 'ArrowRight':
      if (!line.opens) return null;
      return line.open ? { go: current + 1 } : { toggle: line.node.id };
    case 'ArrowLeft': {
      if (line.open) return { toggle: line.node.id };
      const above = lines.findIndex((candidate) => candidate.node.id === line.above);
      return above < 0 ? null : { go: above };
    }
    case '*':
      return {
        openAll: lines
          .filter((other) => other.opens && !other.open && other.above === line.above)
          .map((other) => other.node.id),
      };
    default:
      return null;
  }
}

/**
 * Typing goes to the next line that begins with what was typed; one letter again and again goes through all of them.
 * @param {Line[]} lines
 * @param {number} current
 * @param {string} typed
 * @returns {number} -1 where none begins so
 */
export function findTyped(lines, current, typed) {
  const letters = [...typed.toLowerCase()];
  const repeated = letters.every((letter) => letter === letters[0]);
  const wanted = repeated ? (letters[0] ?? '') : typed.toLowerCase();
  // More letters refine where one already is; a first or repeated letter goes on to the next.
  const from = repeated ? current + 1 : current;
  for (let step = 0; step < lines.length; step += 1) {
    const index = (from + step) % lines.length;
    if (lines[index]?.node.excerpt.toLowerCase().startsWith(wanted)) return index;
  }
  return -1;
}
