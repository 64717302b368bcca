import { expect, test } from 'vitest';

import { piecesOf } from './marks.js';

test.each([
  ['', []],
  ['plain', [['plain', false]]],
  ['a <mark>b</mark> c', [['a ', false], ['b', true], [' c', false]]],
  ['<mark>a</mark><mark>b</mark>', [['ab', true]]],
  ['<mark>open', [['open', true]]],
  ['&lt;mark&gt;not a mark&lt;/mark&gt;', [['<mark>not a mark</mark>', false]]],
  ['&amp;lt; stays &quot;escaped&quot; &#x27;once&#39;', [['&lt; stays "escaped" \'once\'', false]]],
  ['<img src=x onerror=alert(1)> &nbsp;', [['<img src=x onerror=alert(1)> &nbsp;', false]]],
  ['<mark onclick="x">no</mark>', [['<mark onclick="x">no', false]]],
])('%j', (excerpt, pieces) => {
  expect(piecesOf(excerpt).map(({ text, marked }) => [text, marked])).toEqual(pieces);
});
