import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { describe, expect, test, vi } from 'vitest';

import { row } from '../../test-data.js';
import { BranchBar } from './BranchBar.jsx';
import { OriginLine } from './OriginLine.jsx';

/** @typedef {import('./useBranchView.js').BranchView} BranchView */

/** @param {{leafId?: string|null, hidden?: boolean, missing?: boolean}} [what] */
function showBar({ leafId = null, hidden = false, missing = false } = {}) {
  const view = {
    leafId,
    missing,
    target: null,
    showSelected: vi.fn(),
    transcript: { data: { rows: [row({ id: leafId ?? 'r9', hidden })], position: '1', older: null } },
  };
  const actions = { selectShown: vi.fn().mockResolvedValue(undefined), showShown: vi.fn().mockResolvedValue(undefined) };
  const onDone = vi.fn();
  render(
    <BranchBar
      view={/** @type {BranchView} */ (/** @type {unknown} */ (view))}
      selectedLeafId="r9"
      stayed={false}
      busy={false}
      actions={/** @type {import('./useMessageActions.js').MessageActions} */ (/** @type {unknown} */ (actions))}
      onDone={onDone}
    />,
  );
  return { view, actions, onDone };
}

describe('the line about the branch on screen', () => {
  test('is not there for the selected branch, also where the address names it', () => {
    showBar();
    showBar({ leafId: 'r9' });
    expect(screen.queryByRole('group')).toBeNull();
  });

  test('leads back to the selected branch, and gives the focus away before its button goes', async () => {
    const { view, onDone } = showBar({ leafId: 'r1' });
    await userEvent.click(screen.getByRole('button', { name: 'Back to the selected branch' }));
    expect(view.showSelected).toHaveBeenCalledOnce();
    expect(onDone).toHaveBeenCalledOnce();
  });

  test('brings a hidden branch back into sight', async () => {
    const { actions } = showBar({ leafId: 'r1', hidden: true });
    expect(screen.getByText(/hidden branch/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Show this branch again' }));
    expect(actions.showShown).toHaveBeenCalledOnce();
  });

  test('says that the message of the address is not here', async () => {
    const { view } = showBar({ missing: true });
    expect(screen.getByText(/is not in this conversation/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'All right' }));
    expect(view.showSelected).toHaveBeenCalledOnce();
  });
});

describe('the line about where a fork comes from', () => {
  const origin = { conversation_id: 'c0', version: 3, message_id: 'm7' };

  test('says nothing until it is known', () => {
    render(<OriginLine origin={origin} />);
    expect(screen.queryByText(/Continues/)).toBeNull();
  });

  test('leads to the message; a conversation without a title is called what it is called elsewhere', () => {
    render(
      <MemoryRouter>
        <OriginLine origin={{ ...origin, title: '', deleted: false, message_number: 14 }} />
      </MemoryRouter>,
    );
    expect(screen.getByRole('link', { name: /^New conversation/ })).toHaveAttribute('href', '/c/c0?message=m7');
    expect(screen.getByText(/at message 14/)).toBeInTheDocument();
  });
});
