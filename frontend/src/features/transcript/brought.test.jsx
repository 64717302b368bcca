import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, test, vi } from 'vitest';

import { node, reply, row } from '../../test-data.js';
import { writerOf } from '../branches/tree/words.js';
import { PastMessages } from '../time/PastMessages.jsx';
import { BroughtMessage } from './BroughtMessage.jsx';
import { placed, showIn } from './message-test.jsx';
import { Reply } from './Reply.jsx';

const SYSTEM = row({ id: 's', role: 'system', content: 'Be brief.' });
const TOOL = row({ id: 't', role: 'tool', content: '21 degrees' });
const ELSEWHERE = reply({ id: 'r', call_id: null, model: null, content: 'Said elsewhere.' });

describe('what another program brought along', () => {
  test.each([
    ['System prompt', SYSTEM],
    ['Answer of a tool', TOOL],
  ])('is folded and named: %s', async (name, message) => {
    showIn(<BroughtMessage row={message} setSize={3} position={1} />);
    const article = screen.getByRole('article', { name });
    expect(article).toHaveAttribute('aria-posinset', '1');
    expect(screen.getByText(message.content)).not.toBeVisible();
    await userEvent.click(screen.getByText(`${name}, brought along by another program`));
    expect(screen.getByText(message.content)).toBeVisible();
  });

  test('as a reply has no seal, since no call of ours made it', () => {
    showIn(<Reply {...placed()} rows={[ELSEWHERE]} last nameOf={() => 'Model'} onInspect={vi.fn()} />);
    const article = screen.getByRole('article', { name: 'Another program' });
    expect(article).toHaveTextContent('Brought along by another program');
    expect(screen.queryByRole('button', { name: /what did the model see/ })).toBeNull();
  });

  test('stands in the history, and in the tree, as what it is', () => {
    showIn(<PastMessages rows={[SYSTEM, ELSEWHERE]} nameOf={() => 'Model'} />);
    expect(screen.getAllByRole('article').map((article) => article.getAttribute('aria-label'))).toEqual(['System prompt', 'Another program']);
    const writers = [
      node({ id: 'm' }),
      node({ id: 's', role: 'system' }),
      node({ id: 't', role: 'tool' }),
      node({ id: 'r', role: 'assistant', call_id: null }),
      node({ id: 'r2', role: 'assistant' }),
    ].map((each) => writerOf(each, () => 'Small'));
    expect(writers).toEqual(['You', 'System', 'Tool', 'Another program', 'Small']);
  });
});
