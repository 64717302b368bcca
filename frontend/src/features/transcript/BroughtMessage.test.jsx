import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';

import { row } from '../../test-data.js';
import { BroughtMessage } from './BroughtMessage.jsx';
import { placed, showIn } from './message-test.jsx';

test.each([
  ['tool', 'Tool result'],
  ['system', 'Instruction'],
])('a message of role %s says who wrote it and where it comes from', (role, name) => {
  const message = row({ id: 'm1', role: /** @type {'tool'|'system'} */ (role), content: '20 <b>degrees</b>' });
  showIn(<BroughtMessage row={message} {...placed()} />);
  const article = screen.getByRole('article', { name });
  expect(article).toHaveTextContent('20 <b>degrees</b>');
  expect(article).toHaveTextContent('From another tool');
  expect(screen.getByRole('button', { name: 'Copy message' })).toBeInTheDocument();
});
