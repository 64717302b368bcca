import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as api from '../../api/tokens.js';
import { queryClient } from '../../app/queryClient.js';
import { model } from '../../test-data.js';
import TokensPage from './TokensPage.jsx';

vi.mock('../../api/modelCalls.js');
vi.mock('../../api/tokens.js');

const EDITOR = { id: 'ed1tor00', name: 'Editor', created: '2026-03-10T09:00:00Z', last_used: null };
const SCRIPT = { id: 'scr1pt00', name: 'Script', created: '2026-03-09T09:00:00Z', last_used: '2026-03-10T12:34:00Z' };
const MADE = { id: 'n3w00000', name: 'New one', created: '2026-03-11T09:00:00Z', last_used: null, token: 'n3w00000restofit', position: '9' };

beforeEach(() => {
  queryClient.clear();
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model({ id: 'other' }), model({ id: 'small', default: true })], runners: [] });
  vi.mocked(api.fetchTokens).mockReset().mockResolvedValue([EDITOR, SCRIPT]);
  vi.mocked(api.makeToken).mockReset().mockResolvedValue(MADE);
  vi.mocked(api.revokeToken).mockReset().mockResolvedValue(undefined);
});

function open() {
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <TokensPage />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return userEvent.setup();
}
const nameField = () => screen.getByLabelText('Name of a new token');
/** @param {string} name */
const rowOf = async (name) =>
  within(/** @type {HTMLElement} */ ((await screen.findByText(name, { selector: 'li bdi' })).closest('li')));
/** @param {ReturnType<typeof userEvent.setup>} user @param {string} [name] */
async function make(user, name = 'New one') {
  await user.type(nameField(), `${name}{Enter}`);
}

describe('the tokens', () => {
  test('are listed with what they are for, how they begin and when they were used', async () => {
    open();
    const editor = await rowOf('Editor');
    expect(editor.getByText('ed1tor00')).toBeInTheDocument();
    expect(editor.getByText(/never used/)).toBeInTheDocument();
    const times = [...document.querySelectorAll('li time')].map((time) => time.getAttribute('datetime'));
    expect(times).toEqual([EDITOR.created, SCRIPT.created, SCRIPT.last_used]);
  });

  test('are explained where there is none, without examples for nothing', async () => {
    vi.mocked(api.fetchTokens).mockResolvedValue([]);
    open();
    expect(await screen.findByText('No tokens yet.')).toBeInTheDocument();
    expect(screen.getByRole('link', { name: /What programs can ask/ })).toHaveAttribute('href', expect.stringContaining('/api/docs/'));
    expect(screen.queryByRole('heading', { name: 'Use it' })).not.toBeInTheDocument();
  });

  test('say when they cannot be listed, and are asked for again on request', async () => {
    vi.mocked(api.fetchTokens).mockRejectedValueOnce(new Problem({ status: 500, code: 'http_500', message: 'It broke.' }));
    const user = open();
    expect(await screen.findByRole('alert')).toHaveTextContent('It broke.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    await rowOf('Editor');
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });
});

describe('a new token', () => {
  test('is shown once, with the focus on it, and stands in the examples', async () => {
    const user = open();
    await rowOf('Editor');
    await make(user);
    expect(api.makeToken).toHaveBeenCalledExactlyOnceWith('New one');
    const heading = await screen.findByRole('heading', { name: '“New one” is made' });
    expect(heading).toHaveFocus();
    const shown = within(/** @type {HTMLElement} */ (heading.closest('section')));
    expect(shown.getByText(/will not be shown again/)).toBeInTheDocument();
    expect(shown.getByText(MADE.token)).toBeInTheDocument();
    expect(screen.getByRole('group', { name: 'curl' })).toHaveTextContent(`Bearer ${MADE.token}`);
    expect(screen.getByRole('group', { name: /Python/ })).toHaveTextContent('model="small"');
    expect(nameField()).toHaveValue('');
    await rowOf('New one');
  });

  test('is nowhere any more when it is done with: not on the page, not in the cache', async () => {
    const user = open();
    await make(user);
    await user.click(await screen.findByRole('button', { name: 'Done' }));
    expect(nameField()).toHaveFocus();
    expect(document.body).not.toHaveTextContent(MADE.token);
    expect(screen.getByRole('group', { name: 'curl' })).toHaveTextContent('Bearer YOUR-TOKEN');
    expect(JSON.stringify(queryClient.getQueryCache().getAll().map(({ state }) => state.data))).not.toContain(MADE.token);
  });

  test('is copied with a button that says so', async () => {
    const user = open();
    await make(user);
    await user.click(await screen.findByRole('button', { name: 'Copy token' }));
    expect(await navigator.clipboard.readText()).toBe(MADE.token);
    expect(screen.getByRole('button', { name: 'Copied' })).toBeInTheDocument();
  });

  test('is asked for once, however often Enter is pressed', async () => {
    /** @type {(made: typeof MADE) => void} */
    let answer = () => undefined;
    vi.mocked(api.makeToken).mockReturnValue(new Promise((resolve) => (answer = resolve)));
    const user = open();
    await make(user);
    await user.keyboard('{Enter}{Enter}');
    expect(screen.getByRole('button', { name: 'Making it…' })).toBeInTheDocument();
    answer(MADE);
    await screen.findByRole('heading', { name: '“New one” is made' });
    expect(api.makeToken).toHaveBeenCalledTimes(1);
  });

  test('that is refused for its name says so at the name, which stays', async () => {
    const message = 'You have 100 API tokens, which is the limit. Revoke one that is no longer used.';
    vi.mocked(api.makeToken).mockRejectedValue(new Problem({ status: 400, code: 'too_many_tokens', message, fields: { name: [message] } }));
    const user = open();
    await make(user);
    await waitFor(() => expect(nameField()).toHaveAccessibleDescription(expect.stringContaining(message)));
    expect(nameField()).toHaveValue('New one');
    expect(nameField()).toHaveFocus();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  test('whose answer is lost may be there all the same: the list is asked for again', async () => {
    vi.mocked(api.makeToken).mockRejectedValue(Problem.noAnswer());
    const user = open();
    await rowOf('Editor');
    vi.mocked(api.fetchTokens).mockResolvedValue([{ ...MADE }, EDITOR, SCRIPT]);
    await make(user);
    expect(await screen.findByRole('alert')).toHaveTextContent('cannot be reached');
    await rowOf('New one');
    expect(nameField()).toHaveValue('New one');
  });
});

describe('revoking', () => {
  /** @param {ReturnType<typeof userEvent.setup>} user */
  async function revokeEditor(user) {
    await user.click((await rowOf('Editor')).getByRole('button', { name: 'Revoke Editor…' }));
    await user.click(within(screen.getByRole('alertdialog')).getByRole('button', { name: 'Revoke' }));
  }

  test('asks first, takes the line away, and leaves the focus on the page', async () => {
    const user = open();
    await user.click((await rowOf('Editor')).getByRole('button', { name: 'Revoke Editor…' }));
    expect(screen.getByRole('alertdialog')).toHaveTextContent('“Editor” are refused from now on');
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(api.revokeToken).not.toHaveBeenCalled();
    await revokeEditor(user);
    expect(api.revokeToken).toHaveBeenCalledExactlyOnceWith('ed1tor00');
    await waitFor(() => expect(screen.queryByText('Editor', { selector: 'li bdi' })).not.toBeInTheDocument());
    await rowOf('Script');
    await waitFor(() => expect(nameField()).toHaveFocus());
  });

  test('a token that is still shown takes it away there too', async () => {
    const user = open();
    await make(user);
    await user.click((await rowOf('New one')).getByRole('button', { name: 'Revoke New one…' }));
    await user.click(within(screen.getByRole('alertdialog')).getByRole('button', { name: 'Revoke' }));
    await waitFor(() => expect(document.body).not.toHaveTextContent(MADE.token));
  });

  test('that is refused is said at the token, and one that is gone is taken away', async () => {
    const message = 'You have no API token \'ed1tor00\'. Reload the list of tokens.';
    vi.mocked(api.revokeToken).mockRejectedValue(new Problem({ status: 503, code: 'busy', message: 'The database is away.' }));
    const user = open();
    await revokeEditor(user);
    expect(await (await rowOf('Editor')).findByRole('alert')).toHaveTextContent('The database is away.');
    vi.mocked(api.revokeToken).mockRejectedValue(new Problem({ status: 404, code: 'token_not_found', message }));
    vi.mocked(api.fetchTokens).mockResolvedValue([SCRIPT]);
    await revokeEditor(user);
    await waitFor(() => expect(screen.queryByText('Editor', { selector: 'li bdi' })).not.toBeInTheDocument());
    expect(screen.getByRole('alert')).toHaveTextContent('You have no API token');
  });
});
