import { describe, expect, test } from 'vitest';

import { NOTHING, cutIntoBlocks } from './blocks.js';

const TEXT = `# Title

First paragraph
over two lines.

- one

- two
  - nested

1. a

2. a list whose second number looks like a paragraph until its dot arrives

| a | b |
|---|---|
| 1 | 2 |

\`\`\`python
def f():
    return "\`\`"

# not a heading
\`\`\`

> quote
> goes on

<div>html</div>

Setext
------

    indented code

~~~
tilde \`\`\` inside
~~~

The end.`;

/** @param {string} text */
const plain = (text) => cutIntoBlocks(text).blocks;

describe('cutting Markdown into blocks', () => {
  test('keeps fenced code apart, exactly as it is between the fences', () => {
    const code = plain(TEXT).filter((block) => block.kind === 'code');
    expect(code).toEqual([
      { kind: 'code', source: '', language: 'python', open: false, code: 'def f():\n    return "``"\n\n# not a heading' },
      { kind: 'code', source: '', language: '', open: false, code: 'tilde ``` inside' },
    ]);
  });

  test.each([1, 3, 7, 50])('in steps of %i characters gives the same as cutting at once', (step) => {
    let cut = NOTHING;
    for (let length = 0; length <= TEXT.length; length += step) cut = cutIntoBlocks(TEXT.slice(0, length), cut);
    cut = cutIntoBlocks(TEXT, cut);
    expect(cut.blocks).toEqual(plain(TEXT));
  });

  test('settled blocks are the same objects later, so they are not drawn again', () => {
    const before = cutIntoBlocks('One.\n\nTwo.\n\nThree.\n\nFour');
    const after = cutIntoBlocks('One.\n\nTwo.\n\nThree.\n\nFour and more', before);
    expect(before.settledCount).toBeGreaterThan(0);
    expect(after.blocks[0]).toBe(before.blocks[0]);
  });

  test('an open fence is open code until it closes', () => {
    expect(plain('```js\nlet a').at(-1)).toMatchObject({ kind: 'code', open: true, code: 'let a' });
    expect(plain('```js\nlet a\n``').at(-1)).toMatchObject({ open: true });
    expect(plain('```js\nlet a\n```').at(-1)).toMatchObject({ open: false, code: 'let a' });
    expect(plain('````\n```\n').at(-1)).toMatchObject({ open: true });
  });

  test('a list that goes on after a blank line stays one block', () => {
    let cut = cutIntoBlocks('Before.\n\n- a\n\n');
    cut = cutIntoBlocks('Before.\n\n- a\n\n- b', cut);
    expect(cut.blocks).toHaveLength(2);
  });

  test('a link definition reaches the block that uses it', () => {
    const [first] = plain('See [the docs].\n\n[the docs]: https://example.org/');
    expect(first?.source).toContain('https://example.org/');
  });

  test('a text that is not a continuation is cut anew', () => {
    const before = cutIntoBlocks('One.\n\nTwo.\n\nThree.\n\nFour.');
    expect(cutIntoBlocks('Other.', before).blocks).toEqual(plain('Other.'));
  });

  test('Windows line ends make no difference', () => {
    expect(plain('a\r\n\r\nb').map(({ source }) => source)).toEqual(['a', 'b']);
  });
});
