/**
 * Pure: the excerpt of a hit, which is escaped HTML with `<mark>` around what was found, as plain texts. Only those
 * two tags are taken for tags; whatever else the text holds stays text, so nothing of it can ever act.
 */

/** @typedef {{text: string, marked: boolean}} Piece */

/** @type {Record<string, string>} */
const ENTITIES = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#x27;': "'", '&#39;': "'", '&amp;': '&' };

/** @param {string} html */
const unescape = (html) => html.replace(/&(?:lt|gt|quot|#x27|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity);

/**
 * @param {string} excerpt
 * @returns {Piece[]} joined, they are the text; no two in a row are alike
 */
export function piecesOf(excerpt) {
  /** @type {Piece[]} */
  const pieces = [];
  let marked = false;
  for (const part of excerpt.split(/(<\/?mark>)/)) {
    if (part === '<mark>') marked = true;
    else if (part === '</mark>') marked = false;
    else if (part !== '') add(pieces, { text: unescape(part), marked });
  }
  return pieces;
}

/** @param {Piece[]} pieces @param {Piece} piece */
function add(pieces, piece) {
  const last = pieces.at(-1);
  if (last?.marked === piece.marked) last.text += piece.text;
  else pieces.push(piece);
}
