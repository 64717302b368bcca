import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/access.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import * as download from '../../ui/download.js';
import AccessPage from './AccessPage.jsx';

vi.mock(import('../../api/access.js'), async (original) => {
  const real = await original();
  const mocked = Object.entries(real).map(([name, value]) => [name, typeof value === 'function' && name !== 'ProofNeeded' ? vi.fn() : value]);
  return Object.fromEntries(mocked);
});
vi.mock('../../ui/download.js');

const OFF = { on: false, since: null, codesLeft: 0 };
const ON = { on: true, since: new Date('2026-03-10T09:00:00Z'), codesLeft: 10 };
const CODES = ['11112222', '33334444'];

beforeEach(() => {
  vi.resetAllMocks();
  queryClient.clear();
  setUser({ id: 'u1', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: true });
  vi.mocked(api.fetchAccessConfig).mockResolvedValue({ secondFactor: true, services: [] });
  vi.mocked(api.fetchSecondFactor).mockResolvedValue(OFF);
  vi.mocked(api.offerSecondFactor).mockResolvedValue({ secret: 'ABCDEFGHIJ', link: 'otpauth://totp/x' });
  vi.mocked(api.fetchRecoveryCodes).mockResolvedValue(CODES);
  vi.mocked(api.fetchLinkedAccounts).mockResolvedValue([]);
});

function open(address = '/settings/log-in') {
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter initialEntries={[address]}>
        <AccessPage />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

describe('the second factor', () => {
  test('is set up with a picture or the secret, the password and a code, and hands out recovery codes', async () => {
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Set it up' }));
    expect(await screen.findByRole('group', { name: 'The secret' })).toHaveTextContent('ABCD EFGH IJ');
    expect(screen.getByRole('img')).toHaveAttribute('src', expect.stringContaining('/api/me/second-factor/picture/'));
    expect(screen.getByRole('link', { name: 'open it in an app here' })).toHaveAttribute('href', 'otpauth://totp/x');
    expect(screen.getByRole('list', { name: 'Setting up the second factor' })).toHaveFocus();

    await user.type(screen.getByLabelText('Your password'), 'correct horse');
    await user.type(screen.getByLabelText('Code'), '123 456');
    vi.mocked(api.fetchSecondFactor).mockResolvedValue(ON);
    await user.click(screen.getByRole('button', { name: 'Turn on' }));

    expect(api.prove).toHaveBeenCalledWith('password', 'correct horse');
    expect(api.turnOnSecondFactor).toHaveBeenCalledWith('123456');
    const codes = await screen.findByRole('list', { name: 'Recovery codes' });
    expect(within(codes).getAllByRole('listitem').map((item) => item.textContent)).toEqual(CODES);
    expect(screen.getByRole('heading', { name: 'Keep these recovery codes' })).toHaveFocus();
    await user.click(screen.getByRole('button', { name: 'Save as a file' }));
    expect(download.saveText).toHaveBeenCalledWith(expect.stringContaining('11112222\n33334444'), 'verbatim-recovery-codes.txt');
    await user.click(screen.getByRole('button', { name: 'Done' }));
    expect(screen.getByText(/10 recovery codes are left/)).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Show recovery codes' })).toHaveFocus();
  });

  test('stays off while the code or the password is wrong', async () => {
    vi.mocked(api.turnOnSecondFactor).mockRejectedValue(new Problem({ status: 400, code: 'incorrect_code', message: 'x', fields: { code: ['Incorrect code.'] } }));
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Set it up' }));
    await user.type(await screen.findByLabelText('Your password'), 'correct horse');
    await user.type(screen.getByLabelText('Code'), '000000');
    await user.click(screen.getByRole('button', { name: 'Turn on' }));
    expect(await screen.findByText('Incorrect code.')).toBeInTheDocument();
    expect(screen.getByLabelText('Code')).toHaveFocus();
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(await screen.findByRole('button', { name: 'Set it up' })).toHaveFocus();
  });

  test('asks for no password of those who have none', async () => {
    setUser({ id: 'u1', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: false });
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Set it up' }));
    await user.type(await screen.findByLabelText('Code'), '123456');
    expect(screen.queryByLabelText('Your password')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Turn on' }));
    expect(api.prove).not.toHaveBeenCalled();
    expect(api.turnOnSecondFactor).toHaveBeenCalledWith('123456');
  });

  test('is turned off after a question and after showing who sits there', async () => {
    vi.mocked(api.fetchSecondFactor).mockResolvedValue(ON);
    vi.mocked(api.turnOffSecondFactor).mockRejectedValueOnce(new api.ProofNeeded(['password', 'code']));
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Turn off…' }));
    await user.click(await screen.findByRole('button', { name: 'Turn off' }));
    const proof = await screen.findByRole('dialog', { name: 'Is it you?' });
    await user.click(within(proof).getByRole('button', { name: 'Use a code instead' }));
    await user.type(within(proof).getByLabelText('Code from your app, or a recovery code'), '123456');
    vi.mocked(api.fetchSecondFactor).mockResolvedValue(OFF);
    await user.click(within(proof).getByRole('button', { name: 'Go on' }));
    expect(api.prove).toHaveBeenCalledWith('code', '123456');
    expect(await screen.findByRole('button', { name: 'Set it up' })).toBeInTheDocument();
    expect(api.turnOffSecondFactor).toHaveBeenCalledTimes(2);
  });

  test('stays on when nobody shows who sits there', async () => {
    vi.mocked(api.fetchSecondFactor).mockResolvedValue(ON);
    vi.mocked(api.fetchRecoveryCodes).mockRejectedValue(new api.ProofNeeded(['password']));
    vi.mocked(api.prove).mockRejectedValue(new Problem({ status: 400, code: 'x', message: 'x', fields: { password: ['Incorrect password.'] } }));
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Show recovery codes' }));
    await user.type(await screen.findByLabelText('Your password'), 'wrong');
    await user.click(screen.getByRole('button', { name: 'Go on' }));
    expect(await screen.findByText('Incorrect password.')).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Close' }));
    expect(screen.queryByRole('list', { name: 'Recovery codes' })).toBeNull();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  test('gets new recovery codes, which replace the old ones', async () => {
    vi.mocked(api.fetchSecondFactor).mockResolvedValue({ ...ON, codesLeft: 0 });
    vi.mocked(api.renewRecoveryCodes).mockResolvedValue(['55556666']);
    const user = open();
    expect(await screen.findByText(/No recovery codes are left/)).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Make new codes…' }));
    await user.click(await screen.findByRole('button', { name: 'Make new codes' }));
    expect(await screen.findByText('55556666')).toBeInTheDocument();
  });

  test('is not offered where the installation does not want it', async () => {
    vi.mocked(api.fetchAccessConfig).mockResolvedValue({ secondFactor: false, services: [] });
    open();
    expect(await screen.findByText(/cannot be set up here/)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Set it up' })).toBeNull();
  });
});

describe('another service', () => {
  const MINE = { service: 'oidc', account: 'uid-1', display: 'grace@example.org' };

  beforeEach(() => {
    vi.mocked(api.fetchAccessConfig).mockResolvedValue({ secondFactor: true, services: [{ id: 'oidc', name: 'Our staff' }] });
  });

  test('is connected after showing who sits there', async () => {
    vi.mocked(api.beginSignOn).mockRejectedValueOnce(new api.ProofNeeded(['password']));
    vi.mocked(api.beginSignOn).mockRejectedValueOnce(new Problem({ status: 503, code: 'x', message: 'Our staff does not answer.' }));
    const user = open();
    await user.click(await screen.findByRole('button', { name: 'Connect Our staff' }));
    await user.type(await screen.findByLabelText('Your password'), 'correct horse');
    await user.click(screen.getByRole('button', { name: 'Go on' }));
    expect(api.prove).toHaveBeenCalledWith('password', 'correct horse');
    expect(api.beginSignOn).toHaveBeenCalledTimes(2);
    expect(await screen.findByRole('alert')).toHaveTextContent('Our staff does not answer.');
  });

  test('says when the browser comes back with a refusal', async () => {
    open('/settings/log-in?from=service&error=connected_other');
    expect(await screen.findByRole('alert')).toHaveTextContent('This account at Our staff belongs to another account here');
  });

  test('is disconnected after a question, unless it is the only way in', async () => {
    vi.mocked(api.fetchLinkedAccounts).mockResolvedValue([MINE]);
    vi.mocked(api.disconnectAccount).mockRejectedValueOnce(new Problem({ status: 400, code: 'no_password', message: 'x' }));
    const user = open();
    expect(await screen.findByText('grace@example.org')).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Disconnect…' }));
    await user.click(await screen.findByRole('button', { name: 'Disconnect' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('It is your only way in.');

    vi.mocked(api.disconnectAccount).mockResolvedValue([]);
    vi.mocked(api.fetchLinkedAccounts).mockResolvedValue([]);
    await user.click(screen.getByRole('button', { name: 'Disconnect…' }));
    await user.click(await screen.findByRole('button', { name: 'Disconnect' }));
    expect(api.disconnectAccount).toHaveBeenLastCalledWith(MINE);
    expect(await screen.findByRole('button', { name: 'Connect Our staff' })).toBeInTheDocument();
  });
});
