/**
 * Pure: cuts Markdown into top-level blocks, so that a reply that is still growing is parsed block by block:
 * a settled block is parsed once, and only the tail is looked at again.
 *
 * Cutting a text in steps gives the same blocks as cutting it at once: the last two blocks are never taken as
 * settled, because what follows may still join them (a list goes on after a blank line).
 */
import { Lexer } from 'marked';

/**
 * @typedef {object} Block
 * @property {'markdown'|'code'} kind code: a fenced block, shown by our own component
 * @property {string} source the block's Markdown
 * @property {string} code only for code: exactly what is between the fences
 * @property {string} language only for code
 * @property {boolean} open only for code: the closing fence has not arrived
 *
 * @typedef {object} Cut
 * @property {string} text
 * @property {Block[]} blocks
 * @property {number} settledCount blocks that will not change any more
 * @property {number} settledLength how much of the text they cover
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** @type {Cut} */
export const NOTHING = Object.freeze({ text: '', blocks: [], settledCount: 0, settledLength: 0 });

/**
 * @param {import('marked').Token} token
 * @returns {Block}
 */
function toBlock(token) {
  const fence = token.type === 'code' ? FENCE.exec(token.raw) : null;
  if (!fence) return { kind: 'markdown', source: token.raw.replace(/\n+$/, ''), code: '', language: '', open: false };
  const code = /** @type {import('marked').Tokens.Code} */ (token);
  const language = (code.lang ?? '').trim().split(/\s+/)[0]?.toLowerCase() ?? '';
  return { kind: 'code', source: '', code: code.text, language, open: !isClosed(code.raw, fence[1] ?? '```') };
}

/**
 * @param {string} raw
 * @param {string} fence
 */
function isClosed(raw, fence) {
  const lines = raw.trimEnd().split('\n');
  const last = (lines.at(-1) ?? '').trim();
  return lines.length > 1 && last.length >= fence.length && last === (fence[0] ?? '`').repeat(last.length);
}

/**
 * @param {string} text
 * @param {Cut} [before] the cut of an earlier, shorter state of the same text
 * @returns {Cut}
 */
export function cutIntoBlocks(text, before = NOTHING) {
  const goesOn = text.startsWith(before.text);
  const settled = goesOn ? before.blocks.slice(0, before.settledCount) : [];
  const from = goesOn ? before.settledLength : 0;
  const tokens = new Lexer({ gfm: true }).blockTokens(text.slice(from).replace(/\r\n?/g, '\n'), []);
  const definitions = tokens.filter((token) => token.type === 'def');
  const shown = tokens.filter((token) => token.type !== 'space' && token.type !== 'def');
  const blocks = [...settled, ...shown.map(toBlock)];

  // Text with carriage returns or link definitions is rare: it is simply cut anew each time.
  if (definitions.length > 0) return { text, blocks: withDefinitions(blocks, definitions), settledCount: 0, settledLength: 0 };
  if (text.includes('\r') || shown.length <= 2) {
    return { text, blocks, settledCount: settled.length, settledLength: from };
  }
  let length = from;
  let count = settled.length;
  const last = shown.at(-2);
  for (const token of tokens) {
    if (token === last) break;
    length += token.raw.length;
    if (token.type !== 'space') count += 1;
  }
  return { text, blocks, settledCount: count, settledLength: length };
}

/**
 * A definition such as `[docs]: https://…` may stand anywhere; each block that could use it gets a copy.
 * @param {Block[]} blocks
 * @param {import('marked').Token[]} definitions
 */
function withDefinitions(blocks, definitions) {
  const copy = definitions.map((token) => token.raw.trim()).join('\n');
  return blocks.map((block) =>
    block.kind === 'markdown' && block.source.includes('[') ? { ...block, source: `${block.source}\n\n${copy}` } : block,
  );
}
