import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as access from '../api/access.js';
import * as account from '../api/account.js';
import { Problem } from '../api/problems.js';
import { queryClient } from '../app/queryClient.js';
import LostPasswordPage from './LostPasswordPage.jsx';

vi.mock('../api/access.js');
vi.mock('../api/account.js');

/** @param {boolean} mail */
function open(mail) {
  vi.mocked(account.fetchSetup).mockResolvedValue({ signup: 'open', first_account: false, setup_code_required: false, mail });
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <LostPasswordPage />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}
async function ask() {
  await userEvent.type(await screen.findByLabelText('Email'), ' ada@example.org ');
  await userEvent.click(screen.getByRole('button', { name: 'Send the link' }));
}

beforeEach(() => {
  queryClient.clear();
  vi.mocked(access.requestPasswordLink).mockReset().mockResolvedValue(undefined);
});

describe('a forgotten password', () => {
  test('is helped by a mail, which can be asked for again', async () => {
    open(true);
    await ask();
    expect(access.requestPasswordLink).toHaveBeenCalledWith('ada@example.org');
    expect(screen.getByRole('status')).toHaveTextContent('A mail is on its way to ada@example.org.');
    await userEvent.click(screen.getByRole('button', { name: 'Send it again' }));
    expect(access.requestPasswordLink).toHaveBeenCalledTimes(2);
  });

  test('is helped by an administrator where no mail is sent', async () => {
    open(false);
    expect(await screen.findByText(/Ask an administrator/)).toBeInTheDocument();
    expect(screen.queryByLabelText('Email')).toBeNull();
  });

  test('says what is wrong when the mail cannot be sent', async () => {
    vi.mocked(access.requestPasswordLink).mockRejectedValue(
      new Problem({ status: 503, code: 'mail_not_sent', message: 'The email could not be sent.' }),
    );
    open(true);
    await ask();
    expect(await screen.findByRole('alert')).toHaveTextContent('The email could not be sent.');
    expect(screen.getByRole('status')).toBeEmptyDOMElement();
  });

  test('shows beside the field what is wrong with the address', async () => {
    const fields = { email: ['Enter a valid email address.'] };
    vi.mocked(access.requestPasswordLink).mockRejectedValue(new Problem({ status: 400, code: 'x', message: 'x', fields }));
    open(true);
    await ask();
    expect(await screen.findByText('Enter a valid email address.')).toBeInTheDocument();
    expect(screen.getByLabelText('Email')).toHaveFocus();
  });
});
